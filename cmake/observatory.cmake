# What every folder of src/ shares: warnings, the compiler cache, and one way to declare a library, its tests
# and its benchmarks.
find_program(CCACHE ccache)
if(CCACHE)
  # Paths below the checkout are hashed as relative ones: every clone on a machine shares the cache.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
endif()

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)
find_package(GTest REQUIRED)
find_package(benchmark REQUIRED)

option(OBS_NATIVE_TESTS "Build the unit tests and benchmarks" ON)
option(OBS_ENGINE_TESTS "Run the tests that load the embedded engine" ON)
set(OBS_SANITIZE "" CACHE STRING "Sanitizers for everything, for example address,undefined")

add_library(obs_options INTERFACE)
target_compile_options(obs_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
  -Wnon-virtual-dtor -Woverloaded-virtual -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports false positives of these in inlined standard library code at -O2.
  target_compile_options(obs_options INTERFACE -Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-array-bounds
    -Wno-restrict -Wno-stringop-overread -Wno-free-nonheap-object -Wno-dangling-pointer)
else()
  # OBS_TRY uses statement expressions, which GCC's -Wpedantic accepts behind __extension__. The stable_sort of
  # GCC 12's library calls what C++17 deprecated.
  target_compile_options(obs_options INTERFACE -Wno-gnu-statement-expression -Wno-deprecated-declarations
    -Wno-unused-command-line-argument)
endif()
# x86-64-v2 (2009) has SSE4.2, which CRC32C uses; newer instructions are chosen at run time by the libraries.
target_compile_options(obs_options INTERFACE -march=x86-64-v2 -fno-omit-frame-pointer)
target_include_directories(obs_options INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_link_libraries(obs_options INTERFACE Threads::Threads)
if(OBS_SANITIZE)
  target_compile_options(obs_options INTERFACE -fsanitize=${OBS_SANITIZE} -fno-sanitize-recover=all -g)
  target_link_options(obs_options INTERFACE -fsanitize=${OBS_SANITIZE})
endif()

# obs_library(<folder> SOURCES <files> LINKS <targets> [PRIVATE_LINKS <targets>]): the library obs_<folder>.
function(obs_library folder)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(obs_${folder} STATIC ${ARG_SOURCES})
  target_link_libraries(obs_${folder} PUBLIC obs_options ${ARG_LINKS} PRIVATE ${ARG_PRIVATE_LINKS})
endfunction()

# Everything that ctest runs, for builds that want nothing else.
add_custom_target(unit_tests)

# obs_test(<folder> SOURCES <files> LINKS <targets>): one program <folder>_test with the tests beside the code.
function(obs_test folder)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  if(OBS_NATIVE_TESTS)
    add_executable(${folder}_test ${ARG_SOURCES})
    target_link_libraries(${folder}_test PRIVATE ${ARG_LINKS} GTest::gtest_main GTest::gmock)
    add_dependencies(unit_tests ${folder}_test)
    add_test(NAME ${folder} COMMAND ${folder}_test WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  endif()
endfunction()

# obs_bench(<name> SOURCES <files> LINKS <targets>): a Google Benchmark program <name>_bench.
function(obs_bench name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  if(OBS_NATIVE_TESTS)
    add_executable(${name}_bench ${ARG_SOURCES})
    target_link_libraries(${name}_bench PRIVATE ${ARG_LINKS} benchmark::benchmark_main)
  endif()
endfunction()
