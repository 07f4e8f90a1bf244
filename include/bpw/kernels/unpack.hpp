// From the bytes of a tile to integer lanes and group scales.
//
// How a type is unpacked follows from its definition: from the planes of its code field, from the
// table its codes are looked up in, from the rule of its scales. Types without such a rule are
// unpacked by their scalar decode.
#pragma once

#include <bpw/kernels/unpack/by_runs.hpp>
#include <bpw/kernels/unpack/codes.hpp>
#include <bpw/kernels/unpack/interleaved_lattice.hpp>
#include <bpw/kernels/unpack/lattice.hpp>
#include <bpw/kernels/unpack/pairs.hpp>
#include <bpw/kernels/unpack/scales.hpp>
#include <bpw/kernels/unpack/trellis.hpp>
#include <bpw/kernels/unpack/trits.hpp>
