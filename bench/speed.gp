# Speed per type as bars, with the limit of the machine as a mark.
#   gnuplot -e "data='speed.tsv'; picture='speed.svg'; title='...'" speed.gp
# A name that ends in .png gives a PNG.
set datafile separator "\t"
stats data using 0 nooutput
rows = STATS_records

width = 1260
height = 150 + 15 * rows
if (picture[strlen(picture) - 3:] eq ".png") {
    set terminal pngcairo size width, height font "sans,10"
} else {
    set terminal svg size width, height font "sans,12" background "white"
}
set output picture

# A panel is as high as its rows; the titles and the axis take a fixed number of pixels.
top = 1 - 90.0 / height
bottom = 55.0 / height
set multiplot title title font ",14" noenhanced
set yrange [rows - 0.4:-0.6]
set xrange [0:0.1 < *]
set grid xtics linecolor "#d0d0d0" linetype 1
set border 1 linecolor "#808080"
set xtics nomirror scale 0.5
set tics textcolor "black"
unset ytics
set tmargin at screen top
set bmargin at screen bottom
set style fill solid noborder
unset key

array heading[3] = [ \
    "dequantize 32 x 4096", "gemv 16384 x 4096, one vector", "gemm 512 x 4096, 512 vectors"]
array unit[3] = ["Gweights/s", "Gweights/s", "Gop/s"]
array colour[3] = ["#4c78a8", "#59a14f", "#e08a2e"]

do for [panel = 1:3] {
    set lmargin at screen 0.09 + 0.305 * (panel - 1)
    set rmargin at screen 0.09 + 0.305 * (panel - 1) + 0.28
    set title heading[panel]
    set xlabel unit[panel]
    speed = 2 * panel
    plot data using (panel == 1 ? 0 : NaN):0:1 with labels right offset -0.7, 0 noenhanced, \
        data using (column(speed) / 2):0:(column(speed) / 2):(0.38) \
            with boxxyerror linecolor rgb colour[panel], \
        data using (column(speed + 1)):($0 - 0.45):(0):(0.9) \
            with vectors nohead linecolor "#303030" linewidth 1.5
}
unset multiplot
