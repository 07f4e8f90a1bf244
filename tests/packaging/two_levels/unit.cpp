// Compiled twice, as `low` and as `high` (UNIT), for two instruction-set levels.
#include "unit.hpp"

#include <bpw/core/half.hpp>

#define TWO_LEVELS_TEXT(x) #x
#define TWO_LEVELS_STRING(x) TWO_LEVELS_TEXT(x)

unit_report UNIT() {
    unit_report report{};
    report.instruction_set = TWO_LEVELS_STRING(BPW_INSTRUCTION_SET);
    report.function = reinterpret_cast<const void*>(&bpw::half_to_float);
    for (unsigned i = 0; i < 0x7c00; ++i) report.sum += bpw::half_to_float(i);
    return report;
}
