// Results as a table for people, a line as soon as its case has run.
#pragma once

#include "limits.hpp"

#include <benchmark/benchmark.h>

#include <string>

namespace bench {

class table : public benchmark::BenchmarkReporter {
  public:
    table(const limits& most, unsigned threads) : most_(most), threads_(threads) {}

    bool ReportContext(const Context& context) override;
    void ReportRuns(const std::vector<Run>& runs) override;

  private:
    limits most_;
    unsigned threads_;
    std::string heading_;
};

}  // namespace bench
