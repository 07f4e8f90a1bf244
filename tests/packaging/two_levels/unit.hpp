// What each of the two units tells about the code that it runs.
#pragma once

struct unit_report {
    const char* instruction_set;  // the name of bpw's inline namespace in this unit
    const void* function;         // where a function of bpw lies that both units use
    float sum;                    // something calculated by bpw
};

unit_report low();
unit_report high();
