# Compile options for ditto's own targets, and the function that makes a library of a folder.
include(CheckCXXSourceRuns)

find_program(DITTO_CCACHE ccache)
if(DITTO_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # The sloppiness that precompiled headers need: none of our files asks for the time.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${DITTO_CCACHE})
endif()

set(DITTO_COMPILE_OPTIONS -Wall -Wextra -fno-math-errno)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  list(APPEND DITTO_COMPILE_OPTIONS -Wno-restrict)  # false alarms on "literal" + std::string, GCC bug 105651
endif()
if(DITTO_WERROR)
  list(APPEND DITTO_COMPILE_OPTIONS -Werror)
endif()

# Everyone who builds from source wants vector instructions, but objects from a compiler cache must run on every
# machine that shares it: x86-64-v3 (AVX2, FMA) is the common ground; oneDNN picks wider ones by itself.
if(DITTO_MARCH STREQUAL "auto")
  set(DITTO_MARCH_RESOLVED "")
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    check_cxx_source_runs("int main() { return __builtin_cpu_supports(\"avx2\") && __builtin_cpu_supports(\"fma\") && __builtin_cpu_supports(\"bmi\") && __builtin_cpu_supports(\"bmi2\") ? 0 : 1; }" DITTO_CPU_HAS_AVX2)
    if(DITTO_CPU_HAS_AVX2)
      set(DITTO_MARCH_RESOLVED "x86-64-v3")
    endif()
  endif()
elseif(DITTO_MARCH STREQUAL "none")
  set(DITTO_MARCH_RESOLVED "")
else()
  set(DITTO_MARCH_RESOLVED ${DITTO_MARCH})
endif()
if(DITTO_MARCH_RESOLVED)
  list(APPEND DITTO_COMPILE_OPTIONS -march=${DITTO_MARCH_RESOLVED})
endif()

set(DITTO_LINK_OPTIONS "")
if(DITTO_SANITIZE)
  list(APPEND DITTO_COMPILE_OPTIONS -fsanitize=${DITTO_SANITIZE} -fno-omit-frame-pointer -g1)
  list(APPEND DITTO_LINK_OPTIONS -fsanitize=${DITTO_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    list(APPEND DITTO_COMPILE_OPTIONS -Wno-maybe-uninitialized)  # instrumented code confuses GCC's flow analysis
  endif()
  if(DITTO_SANITIZE MATCHES "undefined")
    list(APPEND DITTO_COMPILE_OPTIONS -fno-sanitize-recover=all)
  endif()
endif()

# nvcc: its warnings and those of its host compiler are errors; ptxas tells what third_party/ptxas_check.sh reads.
set(DITTO_NVCC_OPTIONS "SHELL:-Werror all-warnings" "SHELL:-Xptxas -v" -lineinfo -Xcompiler=-Wall,-Wextra,-Werror)

# Applies the options to one target of ours.
function(ditto_target target)
  target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:${DITTO_COMPILE_OPTIONS}>"
                                           "$<$<COMPILE_LANGUAGE:CUDA>:${DITTO_NVCC_OPTIONS}>")
  target_link_options(${target} PUBLIC ${DITTO_LINK_OPTIONS})
endfunction()

# The same for programs and tests. They leave the computing to the libraries: tests are never optimised, and programs
# are not where sanitizers instrument them, for that took most of a build's time.
set(DITTO_OUTER_OPTIONS "" CACHE STRING "Further compiler options for programs")
function(ditto_outer_target target)
  ditto_target(${target})
  target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:${DITTO_OUTER_OPTIONS}>")
endfunction()

# ditto_precompile(target headers...): the standard library's headers, and these, are parsed once for all its files.
# For what is not optimised: GCC 12 otherwise warns of what it inlines from them.
function(ditto_precompile target)
  target_precompile_headers(${target} PRIVATE <algorithm> <array> <atomic> <chrono> <cmath> <cstdint> <filesystem> <fstream>
    <functional> <map> <memory> <mutex> <optional> <random> <set> <span> <sstream> <string> <thread> <unordered_map> <vector> ${ARGN})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)  # for the compiler cache
  endif()
endfunction()

# ditto_library(folder LINK targets...): static library ditto_<folder> from folder/**/*.cpp, and with a CUDA backend its
# *.cu and cuda_*.cpp.
function(ditto_library folder)
  cmake_parse_arguments(arg "" "" "LINK" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.cpp)
  if(DITTO_CUDA_MODE STREQUAL "off")
    list(FILTER sources EXCLUDE REGEX "/cuda_[^/]*\\.cpp$")
  else()
    file(GLOB_RECURSE cuda_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.cu)
    if(cuda_sources)
      ditto_cuda_sources(${cuda_sources})
      list(APPEND sources ${cuda_sources})
    endif()
  endif()
  if(NOT sources)
    set(sources ${PROJECT_SOURCE_DIR}/third_party/empty.cpp)
  endif()
  add_library(ditto_${folder} STATIC ${sources})
  target_include_directories(ditto_${folder} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(ditto_${folder} PUBLIC ${arg_LINK})
  if(DITTO_OPENMP)
    target_link_libraries(ditto_${folder} PUBLIC OpenMP::OpenMP_CXX)
    target_compile_definitions(ditto_${folder} PUBLIC DITTO_HAS_OPENMP)
  endif()
  if(TARGET ditto_cuda)
    target_link_libraries(ditto_${folder} PUBLIC ditto_cuda)
  endif()
  ditto_target(ditto_${folder})
endfunction()
