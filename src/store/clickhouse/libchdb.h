// The C interface of libchdb 26.7, loaded at run time. Only engine.cpp includes this.
#pragma once

#include <cstddef>
#include <cstdint>

namespace obs::libchdb {

struct Result;        // chdb_result
struct InsertStream;  // what chdb_insert_stream points to
struct Session;       // what chdb_connection points to
using State = int;    // 0 = success

// X(name in the library, result, arguments)
#define OBS_CHDB_FUNCTIONS(X)                                                                                \
    X(chdb_version, const char*, ())                                                                         \
    X(chdb_set_signal_handlers_enabled, void, (int))                                                         \
    X(chdb_connect, Session**, (int, char**))                                                                \
    X(chdb_close_conn, void, (Session**))                                                                    \
    X(chdb_query_with_params_n, Result*,                                                                     \
      (Session*, const char*, std::size_t, const char*, std::size_t, const char* const*, const std::size_t*, \
       const char* const*, const std::size_t*, std::size_t))                                                 \
    X(chdb_stream_query_with_params_n, Result*,                                                              \
      (Session*, const char*, std::size_t, const char*, std::size_t, const char* const*, const std::size_t*, \
       const char* const*, const std::size_t*, std::size_t))                                                 \
    X(chdb_stream_fetch_result, Result*, (Session*, Result*))                                                \
    X(chdb_stream_cancel_query, void, (Session*, Result*))                                                   \
    X(chdb_destroy_query_result, void, (Result*))                                                            \
    X(chdb_result_buffer, char*, (Result*))                                                                  \
    X(chdb_result_length, std::size_t, (Result*))                                                            \
    X(chdb_result_error, const char*, (Result*))                                                             \
    X(chdb_result_storage_rows_read, std::uint64_t, (Result*))                                               \
    X(chdb_stream_insert_n, InsertStream*, (Session*, const char*, std::size_t, const char*, std::size_t))   \
    X(chdb_stream_insert_error, const char*, (InsertStream*))                                                \
    X(chdb_stream_append, State, (InsertStream*, const void*, std::size_t))                                  \
    X(chdb_stream_done, Result*, (InsertStream*))                                                            \
    X(chdb_destroy_insert_stream, void, (InsertStream*))

struct Functions {
#define OBS_CHDB_POINTER(name, result, arguments) result(*name) arguments = nullptr;
    OBS_CHDB_FUNCTIONS(OBS_CHDB_POINTER)
#undef OBS_CHDB_POINTER
};

}  // namespace obs::libchdb
