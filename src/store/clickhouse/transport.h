// How statements reach a ClickHouse: inside this process now, over HTTP to a server later. Everything above
// is the same for both: the schema, the SQL and the bytes of an insert.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/span_store.h"
#include "store/sql/statement.h"

namespace obs {

class Transport {
public:
    struct Answer {
        std::string native;
        std::uint64_t rows_read = 0;  // of tables, to find it
    };

    virtual ~Transport() = default;

    // Statements that change something quickly. One caller at a time together with `insert`.
    virtual Result<void> execute(const Statement& statement) = 0;
    // Statements that rewrite what is stored, for minutes perhaps. Any thread; inserts go on meanwhile.
    virtual Result<void> rewrite(const Statement& statement, const Cancel& cancel) = 0;
    // Blocks in Native format into `target`, a table with a list of columns if need be. The same `token`
    // again changes nothing; an empty one is no token. All or nothing when the rows are of one partition.
    virtual Result<void> insert(std::string_view target, std::string_view token, std::string_view native) = 0;

    // A whole answer in Native format; any thread.
    virtual Result<Answer> ask(const Statement& statement, const Cancel& cancel) = 0;
    // An answer in pieces of whole blocks; `sink` returns false to stop. Any thread.
    virtual Result<void> stream(const Statement& statement,
                                const std::function<Result<bool>(std::string_view native)>& sink,
                                const Cancel& cancel) = 0;
    // The same, for answers that take minutes: questions do not wait behind it, and it keeps little in
    // memory.
    virtual Result<void> stream_slowly(const Statement& statement,
                                       const std::function<Result<bool>(std::string_view native)>& sink,
                                       const Cancel& cancel) = 0;
    // A statement that ends in INTO OUTFILE, likewise. About once a second `going_on` is told how many rows
    // it has read, and returns false to stop it.
    virtual Result<void> write_file(const Statement& statement,
                                    const std::function<bool(std::uint64_t rows_read)>& going_on,
                                    const Cancel& cancel) = 0;
};

}  // namespace obs
