// Optional: reading and writing GGUF files. Nothing in the core includes this.
//
//   const auto model = bpw::gguf::file::open("model.gguf");
//   const auto layers = model.metadata().get<std::uint32_t>("llama.block_count").value();
//   const bpw::any_matrix w = model.matrix("blk.0.attn_q.weight").value();
#pragma once

#include <bpw/gguf/constants.hpp>
#include <bpw/gguf/file.hpp>
#include <bpw/gguf/metadata.hpp>
#include <bpw/gguf/metadata_list.hpp>
#include <bpw/gguf/options.hpp>
#include <bpw/gguf/part.hpp>
#include <bpw/gguf/split.hpp>
#include <bpw/gguf/tensor.hpp>
#include <bpw/gguf/text.hpp>
#include <bpw/gguf/value.hpp>
#include <bpw/gguf/writer.hpp>
