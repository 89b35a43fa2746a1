#include "tests/cuda_emulation/checker.h"

#include <link.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tests/cuda_emulation/counters.h"
#include "tests/cuda_emulation/cudart.h"
#include "tests/cuda_emulation/races.h"
#include "tests/cuda_emulation/regions.h"
#include "tests/cuda_emulation/report.h"
#include "tests/cuda_emulation/scheduler.h"
#include "tests/cuda_emulation/symbolise.h"

namespace ditto::emulation::checker {
namespace {

struct Place {
  const void* pc;
  Site site;
};

// Reported when the launch is over: symbolising is slow and needs more stack than a fiber has.
struct Finding {
  const char* kind;
  uint32_t place;
  std::string text;
  uint32_t other_place;  // 0: none
};

constexpr size_t kMostFindings = 20;  // per launch

struct Range {
  uintptr_t begin, end;
  bool holds(uintptr_t address) const { return address - begin < end - begin; }
};

struct State {
  std::mutex mutex;  // held during a launch
  Regions regions;
  BlockClock clock;
  uint64_t launch = 0;
  std::vector<Place> places{{nullptr, {"", 0}}};
  std::unordered_map<const void*, uint32_t> place_of_pc;
  std::map<std::pair<std::string, int>, uint32_t> place_of_site;
  std::vector<Range> constants;  // read-only memory of the program
  Range arguments{0, 0};
  std::vector<Finding> findings;
  std::vector<Region*> touched;                                 // device memory, in this launch
  std::set<std::tuple<const char*, uint32_t, uint32_t>> known;  // each finding is reported once
};

bool instrumented = false;

State& state() {
  static auto* all = new State;
  return *all;
}

std::vector<Range> read_only_segments() {
  std::vector<Range> ranges;
  dl_iterate_phdr(
      [](dl_phdr_info* object, size_t, void* out) {
        for (int i = 0; i < object->dlpi_phnum; ++i) {
          const auto& segment = object->dlpi_phdr[i];
          if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W)) continue;
          const uintptr_t begin = object->dlpi_addr + segment.p_vaddr;
          static_cast<std::vector<Range>*>(out)->push_back({begin, begin + segment.p_memsz});
        }
        return 0;
      },
      &ranges);
  return ranges;
}

uint32_t place_id(const void* pc, Site site) {
  State& s = state();
  const auto next = static_cast<uint32_t>(s.places.size());
  uint32_t id;
  if (pc)
    id = s.place_of_pc.try_emplace(pc, next).first->second;
  else
    id = s.place_of_site.try_emplace({site.file, site.line}, next).first->second;
  if (id == next) s.places.push_back({pc, site});
  return id;
}

std::pair<std::string, int> source_of(uint32_t place) {
  const Place& p = state().places[place];
  return p.pc ? symbolise(p.pc) : std::pair<std::string, int>(p.site.file, p.site.line);
}

std::string thread_text(uint32_t block, unsigned thread) {
  const LaunchRecord& launch = Scheduler::active().launch();
  return "block " + text_of(unravel(block, launch.grid)) + ", thread " +
         text_of(unravel(thread, launch.block));
}

const char* verb(Access kind) {
  return kind == Access::kRead ? "reads" : kind == Access::kWrite ? "writes" : "atomically changes";
}

void find(const char* kind, uint32_t place, const std::string& text, uint32_t other_place = 0) {
  State& s = state();
  if (s.findings.size() < kMostFindings && s.known.insert({kind, place, other_place}).second)
    s.findings.push_back({kind, place, text, other_place});
}

}  // namespace

bool active() { return instrumented; }
void start() { instrumented = true; }

void allocate(void* begin, size_t bytes, int) {
  if (!instrumented || bytes == 0) return;
  std::lock_guard lock(state().mutex);
  state().regions.add(reinterpret_cast<uintptr_t>(begin), bytes, nullptr);
}

void release(void* begin) {
  if (!instrumented || !begin) return;
  std::lock_guard lock(state().mutex);
  state().regions.remove(reinterpret_cast<uintptr_t>(begin));
}

void host_write(void* begin, size_t bytes) {
  if (!instrumented) return;
  std::lock_guard lock(state().mutex);
  state().regions.mark_written(reinterpret_cast<uintptr_t>(begin), bytes);
}

void begin_launch(const LaunchRecord& launch) {
  if (!instrumented) return;
  State& s = state();
  s.mutex.lock();
  ++s.launch;
  s.known.clear();
  if (s.constants.empty()) s.constants = read_only_segments();
  if (counters::enabled()) counters::begin_launch(launch.name);
}

void end_launch() {
  if (!instrumented) return;
  State& s = state();
  if (counters::enabled()) counters::end_launch();
  const std::vector<Finding> findings = std::exchange(s.findings, {});
  struct Piece {
    const void* begin;
    size_t bytes;
    bool write;
  };
  std::vector<Piece> pieces;
  for (Region* region : std::exchange(s.touched, {})) {
    region->races.for_each_touched(s.launch, [&](size_t offset, size_t bytes, bool write) {
      pieces.push_back({reinterpret_cast<const void*>(region->begin + offset), bytes, write});
    });
  }
  s.mutex.unlock();
  // The stream double compares them with the work of other streams.
  for (const Piece& piece : pieces) record_kernel_access(piece.begin, piece.bytes, piece.write);
  for (const Finding& f : findings) {
    const auto [file, line] = source_of(f.place);
    std::string text = f.text;
    if (f.other_place) {
      const auto [other_file, other_line] = source_of(f.other_place);
      text += " at " + other_file + ":" + std::to_string(other_line);
    }
    report({f.kind, Scheduler::active().launch().name, file, line, text});
  }
}

void arguments(const void* begin, size_t bytes) {
  const auto address = reinterpret_cast<uintptr_t>(begin);
  state().arguments = {address, address + bytes};
}

void begin_block(uint64_t number, size_t threads) {
  if (!instrumented) return;
  state().regions.remove_shared();
  state().clock.begin_block(static_cast<uint32_t>(number), threads);
  if (counters::enabled()) counters::begin_block(threads);
}

void end_block() {
  if (!instrumented) return;
  if (counters::enabled()) counters::flush();
  state().regions.remove_shared();
}

void shared_array(void* begin, size_t bytes, const char* name) {
  if (!instrumented || bytes == 0) return;
  state().regions.add(reinterpret_cast<uintptr_t>(begin), bytes, name);
}

void barrier() {
  if (!instrumented) return;
  state().clock.barrier();
  if (counters::enabled()) counters::flush();
}

void sync_warp(unsigned warp, uint32_t mask) {
  if (instrumented) state().clock.sync_warp(warp, mask);
}

void access(const void* pointer, size_t bytes, Access kind, const void* pc, Site site) {
  Thread* thread = Scheduler::current();
  if (!thread || !instrumented) return;
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  if (thread->fiber->holds(pointer)) return;  // a local variable
  const Scheduler::Pause pause;
  State& s = state();
  Scheduler& scheduler = Scheduler::active();

  Region* region = s.regions.find(address);
  auto holds = [&](const Range& range) { return range.holds(address); };
  if (!region && kind == Access::kRead &&
      (holds(s.arguments) || std::any_of(s.constants.begin(), s.constants.end(), holds)))
    return;
  auto doing = [&] { return std::string(verb(kind)) + " " + std::to_string(bytes) + " bytes, "; };
  if (!region) {
    const Regions::Stray stray = s.regions.explain(address);
    scheduler.stop(stray.kind, site, doing() + stray.text, pc);
  }
  if (address + bytes > region->end()) {
    scheduler.stop("out-of-bounds", site, doing() + region->describe(address) + ", beyond its end",
                   pc);
  }

  const uint32_t place = place_id(pc, site);
  const AccessRecord record{s.clock.block(),
                            place,
                            s.clock.now(thread->linear),
                            static_cast<uint16_t>(thread->linear),
                            kind != Access::kRead,
                            kind == Access::kAtomic};
  auto who = [&] { return thread_text(record.block, thread->linear) + " " + doing(); };
  if ((bytes & (bytes - 1)) == 0 && bytes <= 16 && address % bytes != 0)
    find("misaligned", place, who() + region->describe(address) + ", no multiple of the size");

  if (!region->shared_name && region->last_launch != s.launch) {
    region->last_launch = s.launch;
    s.touched.push_back(region);
  }
  const size_t offset = address - region->begin;
  uint8_t* const written = &region->written[offset];
  if (kind != Access::kWrite && !std::all_of(written, written + bytes, [](auto w) { return w; }))
    find("uninitialised-read", place, who() + region->describe(address) + ", which nobody wrote");
  if (kind != Access::kRead) std::fill(written, written + bytes, 1);

  const AccessRecord* other = region->races.record(s.launch, offset, bytes, record, s.clock,
                                                   region->shared_name == nullptr);
  if (other) {
    find("race", place,
         who() + region->describe(address) + ", not ordered with " +
             (other->atomic  ? "an atomic access"
              : other->write ? "a write"
                             : "a read") +
             " by " + thread_text(other->block, other->thread),
         other->place);
  }
  if (counters::enabled()) {
    counters::record(thread->linear, place, address, bytes, record.write, record.atomic,
                     region->shared_name != nullptr);
  }
}

}  // namespace ditto::emulation::checker
