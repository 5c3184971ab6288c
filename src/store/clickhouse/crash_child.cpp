// A process of its own for the tests that kill one or fill its disk; see crash_test.cpp.
//
//     store_crash_child LIBRARY DIRECTORY write FIRST LAST   writes and amends batches, says `stored N` after
//     each, and at
//                                                            the end `rows R distinct D roots A`; all rows
//                                                            are amended
//     store_crash_child LIBRARY DIRECTORY fill BALLAST       writes until that fails, says `refused KIND`,
//     removes
//                                                            the file BALLAST, writes the same batch again
//                                                            and ends like `write`
#include <cstdlib>
#include <filesystem>
#include <string>

#include <fmt/format.h>

#include "store/clickhouse/clickhouse_store.h"
#include "store/clickhouse/embedded_transport.h"

namespace obs {
namespace {

constexpr std::size_t rows_in_batch = 500;

void say(const std::string& line) {
    fmt::print("{}\n", line);
    std::fflush(stdout);
}

[[noreturn]] void give_up(const Error& error) {
    say("error " + error.message);
    std::_Exit(1);
}

template <class T>
T must(Result<T> result) {
    if (!result) give_up(result.error());
    if constexpr (!std::is_void_v<T>) return *std::move(result);
}

// The same number makes the same rows. Their texts do not compress, so that a small disk is full soon.
SpanBatch batch_of(std::uint64_t number) {
    SpanBatch batch;
    std::uint64_t state = number * 2'654'435'761 + 1;
    const auto next = [&] { return state = state * 6'364'136'223'846'793'005 + 1'442'695'040'888'963'407; };
    for (std::size_t row = 0; row < rows_in_batch; ++row) {
        const std::uint64_t id = number * rows_in_batch + row + 1;
        batch.org_id.put(row, "o");
        batch.project_id.put(row, "p");
        batch.seq.put(row, id);
        batch.ts.put(row, UnixNanos{1'763'942'400'000'000'000 + static_cast<std::int64_t>(id)});
        SpanId span;
        std::memcpy(span.bytes.data(), &id, sizeof id);
        batch.span_id.put(row, span);
        std::string text;
        for (int i = 0; i < 25; ++i) text += fmt::format("{:x}", next());
        batch.input_text.put(row, text);
    }
    return batch;
}

// Every row of the batch becomes a root.
Amendments roots_of(std::uint64_t number) {
    const SpanBatch batch = batch_of(number);
    Amendments amendments;
    amendments.org = "o";
    amendments.project = "p";
    amendments.seq = number + 1;
    for (std::size_t row = 0; row < batch.size(); ++row)
        amendments.to_root.push_back({batch.ts[row], batch.trace_id[row], batch.span_id[row]});
    return amendments;
}

class Child {
public:
    Child(const char* library, const char* directory)
        : engine_(must(Engine::open({.library = library, .directory = directory}))),
          store_(clickhouse_store(must(embedded_transport(engine_, {})))) {
        must(store_->migrate());
    }

    void write(std::uint64_t first, std::uint64_t last) {
        for (std::uint64_t number = first; number <= last; ++number) {
            must(store_once(number));
            must(store_->amend(roots_of(number)));
            say(fmt::format("stored {}", number));
        }
        say_total();
    }

    void fill(const std::filesystem::path& ballast) {
        std::uint64_t number = 0;
        Result<void> result;
        while ((result = store_once(number))) ++number;
        say(fmt::format("refused {}", result.error().kind == ErrorKind::unavailable
                                          ? "unavailable"
                                          : result.error().message));
        std::filesystem::remove(ballast);
        must(store_once(number));
        say(fmt::format("stored {}", number));
        say_total();
    }

private:
    Result<void> store_once(std::uint64_t number) {
        return store_->write(AnyBatch(batch_of(number)), fmt::format("crash-{}", number));
    }
    void say_total() {
        auto sql = must(engine_->connect({}));
        say(must(sql->query(
                     {"SELECT concat('rows ', toString(count()), ' distinct ', toString(uniqExact(span_id)), "
                      "' roots ', toString(sum(is_root))) "
                      "FROM observatory.spans FORMAT TSVRaw"}))
                .bytes);
    }

    std::shared_ptr<Engine> engine_;
    std::unique_ptr<SpanStore> store_;
};

}  // namespace
}  // namespace obs

int main(int argc, char** argv) {
    if (argc < 5) return 2;
    obs::Child child(argv[1], argv[2]);
    if (argv[3] == std::string_view("write") && argc == 6)
        child.write(std::strtoull(argv[4], nullptr, 10), std::strtoull(argv[5], nullptr, 10));
    if (argv[3] == std::string_view("fill")) child.fill(argv[4]);
    return 0;
}
