#include "store/clickhouse/clickhouse_store.h"

#include <cstdlib>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/native.h"
#include "model/random_batches.h"
#include "store/clickhouse/embedded_transport.h"
#include "store/clickhouse/migrations.h"
#include "store/contract_test.h"

namespace obs {
namespace {

std::filesystem::path engine_library() {
    const char* set = std::getenv("OBS_ENGINE_LIBRARY");
    return set != nullptr ? set : "build/lib/libchdb.so";
}

// One engine for the whole program, over a directory that goes with it. Both go before main returns.
class TestEngine : public testing::Environment {
public:
    static TestEngine& instance() {
        static auto* engine = dynamic_cast<TestEngine*>(testing::AddGlobalTestEnvironment(new TestEngine));
        return *engine;
    }

    void SetUp() override {
        std::string name = (std::filesystem::temp_directory_path() / "store_clickhouse_XXXXXX").string();
        directory = mkdtemp(name.data());
        auto opened = Engine::open({.library = engine_library(), .directory = directory});
        if (!opened) FAIL() << opened.error().message;
        engine = *std::move(opened);
    }
    void TearDown() override {
        shared.reset();
        engine.reset();
        std::error_code ignored;
        std::filesystem::remove_all(directory, ignored);
    }

    std::filesystem::path directory;
    std::shared_ptr<Engine> engine;
    std::shared_ptr<SpanStore> shared;  // of the tests that need no database of their own
};
[[maybe_unused]] const TestEngine& registered = TestEngine::instance();

std::shared_ptr<SpanStore> make_store(const std::string& database) {
    const std::shared_ptr<Engine> engine = TestEngine::instance().engine;
    if (engine == nullptr) return nullptr;
    auto transport = embedded_transport(engine, {.database = database});
    if (!transport) {
        ADD_FAILURE() << transport.error().message;
        return nullptr;
    }
    std::shared_ptr<SpanStore> store = clickhouse_store(*std::move(transport));
    if (const auto migrated = store->migrate(); !migrated) {
        ADD_FAILURE() << migrated.error().message;
        return nullptr;
    }
    return store;
}

std::shared_ptr<SpanStore> shared_store() {
    std::shared_ptr<SpanStore>& store = TestEngine::instance().shared;
    if (store == nullptr) store = make_store("contract");
    return store;
}

}  // namespace
}  // namespace obs

namespace obs::test {
namespace {

INSTANTIATE_TEST_SUITE_P(ClickHouse, StoreContract, testing::Values(StoreMaker{"embedded", shared_store}),
                         store_name);

}  // namespace
}  // namespace obs::test
