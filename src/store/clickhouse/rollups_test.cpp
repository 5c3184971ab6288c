// Rollups against figures that are made from the spans as the test made them, never from stored ones.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>

#include "store/clickhouse/clickhouse_store.h"
#include "store/clickhouse/embedded_transport.h"
#include "store/clickhouse/rollup_figures.h"
#include "store/clickhouse/rollup_sql.h"
#include "store/test_rows.h"

extern char** environ;

namespace obs {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using test::noon;

const char* environment(const char* name, const char* otherwise) {
    const char* set = std::getenv(name);
    return set != nullptr ? set : otherwise;
}

// One engine for the program. A child that is to be killed gets its directory from the test that starts it.
class TestEngine : public testing::Environment {
public:
    static TestEngine& instance() {
        static auto* engine = dynamic_cast<TestEngine*>(testing::AddGlobalTestEnvironment(new TestEngine));
        return *engine;
    }
    void SetUp() override {
        directory = environment("OBS_ROLLUP_DIRECTORY", "");
        if (directory.empty()) {
            std::string name = (std::filesystem::temp_directory_path() / "rollups_XXXXXX").string();
            directory = mkdtemp(name.data());
            owned = true;
        }
        auto opened = Engine::open(
            {.library = environment("OBS_ENGINE_LIBRARY", "build/lib/libchdb.so"), .directory = directory});
        if (!opened) FAIL() << opened.error().message;
        engine = *std::move(opened);
    }
    void TearDown() override {
        engine.reset();
        std::error_code ignored;
        if (owned) std::filesystem::remove_all(directory, ignored);
    }

    std::filesystem::path directory;
    bool owned = false;
    std::shared_ptr<Engine> engine;
};
[[maybe_unused]] const TestEngine& registered = TestEngine::instance();

// A span as the test knows it.
struct Made {
    std::string name, project = "p", service, provider, model, environment, kind = "llm", user, session,
                      error;
    std::vector<std::string> tags;
    nanoseconds at{0}, took{0};
    std::optional<nanoseconds> ttft;
    std::optional<std::int64_t> prompt, completion, cost;
    int status = 0;
    bool call = true, root = false;

    UnixNanos start() const { return noon + Nanos{at.count()}; }
    SpanKey key() const {
        const AnyBatch batch = test::batch_of(std::vector{row("", 0)});
        const auto& spans = std::get<SpanBatch>(batch);
        return {spans.ts[0], spans.trace_id[0], spans.span_id[0]};
    }
    test::TestRow row(const std::string& org, std::uint64_t seq) const {
        test::TestRow row = test::span(name);
        row.set("org_id", org).project(project).seq(seq).at(at).took(took).model(model).provider(provider);
        row.user(user).tags(tags).set("kind", kind).set("session_id", session);
        row.set("service_name", service).set("environment", environment);
        row.set("status_code", std::int64_t{status}).set("is_call", std::int64_t{call});
        row.set("is_root", std::int64_t{root});
        if (!error.empty()) row.set("error_code", error);
        if (ttft) row.set("ttft", std::int64_t{ttft->count()});
        if (prompt) row.set("prompt_tokens", *prompt);
        if (completion) row.set("completion_tokens", *completion);
        if (cost) row.cost(*cost);
        return row;
    }
};

// What a group of spans adds up to.
struct Figures {
    std::int64_t spans = 0, roots = 0, calls = 0, errors = 0, prompt = 0, prompt_rows = 0, completion = 0,
                 completion_rows = 0, cost = 0, cost_rows = 0, duration = 0, duration_rows = 0, ttft = 0,
                 ttft_rows = 0;
    std::vector<double> durations{}, ttfts{};  // of the spans; of a rollup the quantiles below

    void add(const Made& span) {
        const auto sum = [&](const std::optional<std::int64_t>& value, std::int64_t& total,
                             std::int64_t& rows) {
            if (!value || !span.call) return;
            total += *value;
            ++rows;
        };
        ++spans;
        roots += span.root;
        calls += span.call;
        errors += span.status == 2;
        sum(span.prompt, prompt, prompt_rows);
        sum(span.completion, completion, completion_rows);
        sum(span.cost, cost, cost_rows);
        if (span.took.count() >= 0) {
            duration += span.took.count();
            ++duration_rows;
            durations.push_back(static_cast<double>(span.took.count()));
        }
        if (span.ttft && span.ttft->count() >= 0) {
            ttft += span.ttft->count();
            ++ttft_rows;
            ttfts.push_back(static_cast<double>(span.ttft->count()));
        }
    }
    std::string sums() const {
        return fmt::format(
            "{} spans {} roots {} calls {} errors in {}/{} out {}/{} cost {}/{} took {}/{} ttft "
            "{}/{}",
            spans, roots, calls, errors, prompt, prompt_rows, completion, completion_rows, cost, cost_rows,
            duration, duration_rows, ttft, ttft_rows);
    }
};
constexpr double levels[] = {0.5, 0.95, 0.99};
using Groups = std::map<std::string, Figures>;

// The spans' groups, each named by its bucket and its dimensions.
Groups groups_of(const std::vector<Made>& spans, RollupTable table) {
    Groups groups;
    for (const Made& span : spans) {
        const std::int64_t bucket =
            bucket_of(level_of(table), span.start()).start.since_epoch / 1'000'000'000;
        const std::string place = fmt::format("{} {}", span.project, bucket);
        if (!has_keys(table)) {
            groups[fmt::format("{} {} {} {} {} {} {}", place, span.service, span.provider, span.model,
                               span.environment, span.kind, span.status)]
                .add(span);
            continue;
        }
        groups[fmt::format("{} user {}", place, span.user)].add(span);
        groups[fmt::format("{} session {}", place, span.session)].add(span);
        if (span.tags.empty()) groups[fmt::format("{} tag ", place)].add(span);
        for (const std::string& tag : std::set(span.tags.begin(), span.tags.end()))
            groups[fmt::format("{} tag {}", place, tag)].add(span);
        if (span.status == 2) groups[fmt::format("{} error {}", place, span.error)].add(span);
    }
    return groups;
}

// Spans of about `span` around the given time: some without values, some with bad clocks, several tags.
std::vector<Made> make(std::uint64_t seed, int count, nanoseconds from, nanoseconds length) {
    std::mt19937_64 random(seed);
    const auto below = [&](std::int64_t limit) {
        return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(limit));
    };
    std::lognormal_distribution<double> takes(20, 1.5);
    std::vector<Made> made;
    for (int i = 0; i < count; ++i) {
        Made span;
        span.name = fmt::format("s{}-{}", seed, i);
        span.project = below(8) == 0 ? "q" : "p";
        span.service = below(2) == 0 ? "shop" : "";
        span.provider = below(2) == 0 ? "openai" : "anthropic";
        span.model = fmt::format("m{}", below(3));
        span.environment = "prod";
        span.at = from + nanoseconds(below(length.count()));
        span.took = nanoseconds(static_cast<std::int64_t>(takes(random)));
        if (below(50) == 0) span.took = -span.took;
        if (below(40) == 0) span.took = nanoseconds(0);
        span.call = below(3) != 0;
        // Wrappers of model calls look like them.
        span.kind = span.call || below(4) == 0 ? "llm" : "agent";
        span.root = below(5) == 0;
        span.status = below(10) == 0 ? 2 : 0;
        // Some say why without having failed.
        if (span.status == 2 || below(30) == 0)
            span.error = below(3) == 0 ? "" : fmt::format("e{}", below(4));
        if (below(3) == 0) span.ttft = span.took / 3;
        if (below(10) != 0) span.prompt = below(1000) == 0 ? std::int64_t{1} << 40 : below(5000);
        if (below(10) != 0) span.completion = below(900);
        if (below(4) != 0) span.cost = below(1'000'000'000);
        if (below(6) != 0) span.user = fmt::format("u{}", below(20));
        if (!span.user.empty()) span.session = fmt::format("{}-{}", span.user, below(3));
        for (std::int64_t tag = below(4); tag > 0; --tag) span.tags.push_back(fmt::format("t{}", below(5)));
        made.push_back(std::move(span));
    }
    return made;
}

// A database of its own and what the test put into it.
class Database {
public:
    explicit Database(const std::string& name) {
        const auto& engine = TestEngine::instance().engine;
        if (engine == nullptr) return;
        store_ = clickhouse_store(*embedded_transport(engine, {.database = name}));
        ok(store_->migrate());
        sql_ = *engine->connect({});
        run(fmt::format("USE {}", name));
    }

    bool ready() const { return store_ != nullptr; }
    SpanStore& store() { return *store_; }
    const std::vector<Made>& made() const { return made_; }

    // Under ids that say what is in them.
    void write(const std::vector<Made>& spans) {
        std::map<std::int32_t, std::vector<test::TestRow>> days;
        ++seq_;
        for (const Made& span : spans) days[day_of(span.start())].push_back(span.row("o", seq_));
        for (const auto& [day, rows] : days)
            ok(store_->write(test::batch_of(rows), fmt::format("{}-{}", seq_, day)));
        made_.insert(made_.end(), spans.begin(), spans.end());
    }

    // Spans of project p turn out to be wrappers.
    template <class Which>
    void demote(Which&& which) {
        Amendments amendments;
        amendments.org = "o";
        amendments.project = "p";
        amendments.seq = seq_;
        for (Made& span : made_) {
            if (span.project != "p" || !which(span)) continue;
            amendments.to_rollup.push_back(span.key());
            span.call = false;
        }
        ok(store_->amend(amendments));
    }

    template <class Which>
    void forget(const Forget& what, Which&& which) {
        ok(store_->forget(what));
        std::erase_if(made_, which);
    }

    std::vector<RollupBucket> stale() {
        auto found = store_->stale_rollups({});
        ok(found);
        return found.value_or(std::vector<RollupBucket>());
    }
    // As the schedule would: minutes first, hours of them.
    void roll_up(const std::vector<RollupBucket>& buckets, RollUp::From source = RollUp::From::finer) {
        for (const RollupLevel level : all_rollup_levels) {
            RollUp work;
            work.through = seq_;
            if (level != RollupLevel::minute) work.from = source;
            for (const RollupBucket& bucket : buckets)
                if (bucket.level == level) work.buckets.push_back(bucket);
            if (!work.buckets.empty()) ok(store_->roll_up(work, {}));
        }
    }

    Groups rollups(RollupTable table) {
        const bool keyed = has_keys(table);
        const std::string answer = run(fmt::format(
            "SELECT concat(project_id, ' ', toUnixTimestamp(bucket), ' ', {}), sum(spans), sum(roots), "
            "sum(calls), sum(errors), sum(prompt_tokens), sum(prompt_tokens_rows), sum(completion_tokens), "
            "sum(completion_tokens_rows), toInt64(sum(total_cost) * 1000000000), sum(total_cost_rows), "
            "sum(duration), sum(duration_rows), sum(ttft), sum(ttft_rows) {} FROM {} WHERE org_id = 'o' AND "
            "{} "
            "GROUP BY 1",
            keyed ? "dimension, ' ', key"
                  : "arrayStringConcat([service_name, provider, model, environment, kind, "
                    "toString(status_code)], ' ')",
            keyed
                ? ""
                : ", quantilesDDMerge(0.005, 0.5, 0.95, 0.99)(duration_sketch), quantilesDDMerge(0.005, 0.5, "
                  "0.95, 0.99)(ttft_sketch)",
            name_of(table), is_current(level_of(table))));
        Groups groups;
        std::istringstream lines(answer);
        for (std::string line; std::getline(lines, line);) {
            std::istringstream cells(line);
            std::string name;
            std::getline(cells, name, '\t');
            Figures& f = groups[name];
            for (std::int64_t* figure : {&f.spans, &f.roots, &f.calls, &f.errors, &f.prompt, &f.prompt_rows,
                                         &f.completion, &f.completion_rows, &f.cost, &f.cost_rows,
                                         &f.duration, &f.duration_rows, &f.ttft, &f.ttft_rows})
                cells >> *figure;
            if (keyed) continue;
            for (std::vector<double>* quantiles : {&f.durations, &f.ttfts})
                for (char comma = 0; quantiles->size() < std::size(levels);) {
                    std::string number;
                    cells >> comma;
                    std::getline(cells >> std::ws, number, quantiles->size() == 2 ? ']' : ',');
                    quantiles->push_back(number == "nan" ? std::nan("") : std::stod(number));
                    if (quantiles->size() < 3) cells.putback(',');
                }
        }
        return groups;
    }

    std::string run(const std::string& text) {
        const auto answer = sql_->query({text}, "TSV");
        ok(answer);
        return answer ? answer->bytes : "";
    }

    template <class T>
    static void ok(const Result<T>& result) {
        if (!result) ADD_FAILURE() << result.error().message;
    }

private:
    std::unique_ptr<SpanStore> store_;
    std::unique_ptr<EngineConnection> sql_;
    std::vector<Made> made_;
    std::uint64_t seq_ = 100;
};

// Within half a percent of a value at the place of the quantile.
void expect_quantiles(const std::vector<double>& given, std::vector<double> values, const std::string& what) {
    if (values.empty()) return;
    std::ranges::sort(values);
    for (std::size_t i = 0; i < std::size(levels); ++i) {
        const double place = levels[i] * static_cast<double>(values.size() - 1);
        const double low = values[static_cast<std::size_t>(std::floor(place))];
        const double high = values[static_cast<std::size_t>(std::ceil(place))];
        EXPECT_GE(given[i], low * 0.995 - 1e-9) << what << " at " << levels[i];
        EXPECT_LE(given[i], high * 1.005 + 1e-9) << what << " at " << levels[i];
    }
}

void expect_rollups(Database& database) {
    for (const RollupTable table : all_rollup_tables) {
        const Groups expected = groups_of(database.made(), table);
        const Groups found = database.rollups(table);
        for (const auto& [name, figures] : expected) {
            const auto group = found.find(name);
            if (group == found.end()) {
                ADD_FAILURE() << name_of(table) << " lacks " << name;
                continue;
            }
            EXPECT_EQ(group->second.sums(), figures.sums()) << name_of(table) << " " << name;
            if (has_keys(table)) continue;
            expect_quantiles(group->second.durations, figures.durations, name);
            expect_quantiles(group->second.ttfts, figures.ttfts, name);
        }
        for (const auto& [name, figures] : found)
            EXPECT_TRUE(expected.contains(name)) << name_of(table) << " still has " << name;
    }
    EXPECT_THAT(database.stale(), testing::IsEmpty());
}

// ---------------------------------------------------------------------------------------------------------

TEST(RollupSchema, hasTheColumnsOfTheModel) {
    Database database("rollup_schema");
    ASSERT_TRUE(database.ready());
    for (const RollupTable table : all_rollup_tables) {
        std::string expected;
        for (const RollupColumn& column : rollup_columns(table))
            expected += fmt::format("{}\t{}\n", column.name, column.type);
        EXPECT_EQ(database.run(fmt::format("SELECT name, type FROM system.columns WHERE database = "
                                           "'rollup_schema' AND table = '{}' ORDER BY position FORMAT TSVRaw",
                                           name_of(table))),
                  expected);
    }
}

class RollupsOfSpans : public testing::Test {
protected:
    RollupsOfSpans()
        : database_("rollups_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name())) {
    }
    void SetUp() override { ASSERT_TRUE(database_.ready()); }

    // Spans over midnight, rolled up.
    void begin() {
        database_.write(make(1, 3000, hours(11), hours(3)));
        database_.roll_up(database_.stale());
    }
    static std::vector<RollupBucket> around(nanoseconds at) {
        std::vector<RollupBucket> buckets;
        for (const RollupLevel level : all_rollup_levels)
            buckets.push_back(bucket_of(level, noon + Nanos{at.count()}));
        return buckets;
    }

    Database database_;
};

TEST_F(RollupsOfSpans, equalTheSpans) {
    begin();
    expect_rollups(database_);
}

TEST_F(RollupsOfSpans, areEmptyUntilTheyAreComputed) {
    database_.write(make(1, 10, minutes(0), seconds(60)));
    EXPECT_EQ(database_.stale(), around(minutes(0)));
    EXPECT_THAT(database_.rollups(RollupTable::minutes), testing::IsEmpty());
}

TEST_F(RollupsOfSpans, hoursOfRowsEqualHoursOfMinutes) {
    begin();
    const Groups of_minutes = database_.rollups(RollupTable::hours);
    std::vector<RollupBucket> all;
    for (const Made& span : database_.made()) all.push_back(bucket_of(RollupLevel::hour, span.start()));
    std::ranges::sort(all);
    all.erase(std::unique(all.begin(), all.end()), all.end());
    database_.roll_up(all, RollUp::From::rows);
    const Groups of_rows = database_.rollups(RollupTable::hours);
    ASSERT_EQ(of_rows.size(), of_minutes.size());
    for (const auto& [name, figures] : of_rows) {
        EXPECT_EQ(figures.sums(), of_minutes.at(name).sums());
        // As text, since a group without a duration has no number that equals itself.
        EXPECT_EQ(fmt::format("{}", fmt::join(figures.durations, " ")),
                  fmt::format("{}", fmt::join(of_minutes.at(name).durations, " ")))
            << "a merged sketch is the same sketch";
    }
    expect_rollups(database_);
}

TEST_F(RollupsOfSpans, computingAgainChangesNothing) {
    begin();
    std::vector<RollupBucket> all;
    for (const Made& span : database_.made())
        for (const RollupLevel level : all_rollup_levels) all.push_back(bucket_of(level, span.start()));
    std::ranges::sort(all);
    all.erase(std::unique(all.begin(), all.end()), all.end());
    database_.roll_up(all);
    database_.roll_up(all);
    expect_rollups(database_);
    // Nor does it matter when the engine throws replaced rows away.
    for (const RollupTable table : all_rollup_tables)
        database_.run(fmt::format("OPTIMIZE TABLE {} FINAL", name_of(table)));
    expect_rollups(database_);
}

TEST_F(RollupsOfSpans, aLateSpanCorrectsItsBuckets) {
    begin();
    database_.write(make(2, 1, hours(12), seconds(60)));
    const auto stale = database_.stale();
    EXPECT_EQ(stale, around(hours(12)));
    database_.roll_up(stale);
    expect_rollups(database_);
}

TEST_F(RollupsOfSpans, anAmendmentCorrectsItsBucketsAlsoUnderTheSequenceTheyKnow) {
    begin();
    database_.demote([](const Made& span) { return span.at < hours(12) && span.user == "u1"; });
    const auto stale = database_.stale();
    EXPECT_FALSE(stale.empty());
    database_.roll_up(stale);
    // What has the newest sequence is found once more; with newer rows in the store no more.
    database_.write(make(3, 1, hours(13), seconds(60)));
    database_.roll_up(database_.stale());
    expect_rollups(database_);
}

TEST_F(RollupsOfSpans, anErasedUserLeavesThem) {
    begin();
    const Forget user{.org = "o", .user_id = "u1"};
    database_.forget(user, [](const Made& span) { return span.user == "u1"; });
    for (const char* table : {"rollup_hour_keys", "rollup_days"})
        EXPECT_EQ(database_.run(fmt::format(
                      "SELECT count() FROM {} WHERE key = 'u1' OR startsWith(key, 'u1-')", table)),
                  "0\n")
            << "at once and under every version";
    database_.roll_up(database_.stale());
    expect_rollups(database_);
}

TEST_F(RollupsOfSpans, anErasedUserOfOneProjectStaysInTheOther) {
    begin();
    const Forget user{.org = "o", .project = "q", .user_id = "u1"};
    database_.forget(user, [](const Made& span) { return span.user == "u1" && span.project == "q"; });
    database_.roll_up(database_.stale());
    expect_rollups(database_);
}

TEST_F(RollupsOfSpans, anErasedProjectLeavesThem) {
    begin();
    database_.forget({.org = "o", .project = "q"}, [](const Made& span) { return span.project == "q"; });
    for (const RollupTable table : all_rollup_tables)
        EXPECT_EQ(database_.run(fmt::format("SELECT count() FROM {} WHERE project_id = 'q'", name_of(table))),
                  "0\n");
    database_.roll_up(database_.stale());
    expect_rollups(database_);
}

TEST_F(RollupsOfSpans, aBucketWhoseLastSpanIsErasedIsEmpty) {
    Made alone = make(4, 1, minutes(0), seconds(60)).front();
    alone.user = "lonely";
    database_.write({alone});
    database_.roll_up(database_.stale());
    EXPECT_FALSE(database_.rollups(RollupTable::minutes).empty());
    database_.forget({.org = "o", .user_id = "lonely"}, [](const Made&) { return true; });
    EXPECT_EQ(database_.stale(), around(minutes(0)));
    database_.roll_up(database_.stale());
    expect_rollups(database_);
}

TEST_F(RollupsOfSpans, spansThatAgeOutStayInThem) {
    begin();
    const auto before = noon + Nanos::hours(12) + Nanos::seconds(1234);
    Database::ok(database_.store().forget({.before = before}));
    EXPECT_THAT(database_.stale(), testing::IsEmpty());
    // Also when somebody asks for buckets of which rows are gone.
    database_.roll_up(around(hours(12)));
    database_.roll_up(around(hours(11)));
    expect_rollups(database_);
}

TEST_F(RollupsOfSpans, areDroppedAtTheEndOfTheirLives) {
    begin();
    const UnixNanos midnight = noon + Nanos::hours(12);
    Database::ok(database_.store().forget_rollups(RollupLevel::minute, midnight));
    EXPECT_EQ(database_.run("SELECT min(toUnixTimestamp(bucket)) FROM rollup_minutes"),
              fmt::format("{}\n", midnight.since_epoch / 1'000'000'000));
    EXPECT_FALSE(database_.rollups(RollupTable::hours).empty());
    for (const RollupLevel level : {RollupLevel::hour, RollupLevel::day})
        Database::ok(database_.store().forget_rollups(level, midnight + Nanos::days(14)));
    for (const RollupTable table : {RollupTable::hours, RollupTable::hour_keys, RollupTable::days})
        EXPECT_THAT(database_.rollups(table), testing::IsEmpty());
}

TEST_F(RollupsOfSpans, anUnfinishedComputationCanBeGivenUp) {
    database_.write(make(1, 100, minutes(0), seconds(60)));
    std::stop_source stop;
    stop.request_stop();
    const auto given_up = database_.store().roll_up({.buckets = {bucket_of(RollupLevel::minute, noon)}},
                                                    {.stop = stop.get_token()});
    ASSERT_FALSE(given_up);
    EXPECT_EQ(given_up.error().kind, ErrorKind::cancelled);
    EXPECT_EQ(database_.stale(), around(minutes(0)));
    database_.roll_up(database_.stale());
    expect_rollups(database_);
}

// ---------------------------------------------------------------------------------------------------------
// Figures from rollups and spans together, against those of the spans alone.

using Function = Aggregate::Function;

std::vector<Aggregate> sums() {
    std::vector<Aggregate> aggregates = {{.function = Function::count, .name = "calls"},
                                         {.function = Function::count,
                                          .only = test::where("status_code", Operator::eq, {std::int64_t{2}}),
                                          .name = "errors"}};
    for (const char* name : {"prompt_tokens", "total_cost", "duration", "ttft"}) {
        aggregates.push_back(
            {.function = Function::sum, .field = test::field(name), .name = fmt::format("{} sum", name)});
        aggregates.push_back(
            {.function = Function::avg, .field = test::field(name), .name = fmt::format("{} avg", name)});
    }
    return aggregates;
}

std::vector<Aggregate> everything() {
    std::vector<Aggregate> aggregates = sums();
    for (const Function function : {Function::min, Function::max})
        aggregates.push_back({.function = function,
                              .field = test::field("duration"),
                              .name = function == Function::min ? "least" : "most"});
    for (const char* name : {"duration", "ttft"})
        for (const double level : levels)
            aggregates.push_back({.function = Function::quantile,
                                  .field = test::field(name),
                                  .level = level,
                                  .name = fmt::format("{} p{}", name, level * 100)});
    return aggregates;
}

FigureQuestion question_of(std::vector<FieldRef> groups, std::vector<Aggregate> aggregates) {
    FigureQuestion question(Scope("o", {}));
    question.group_by = std::move(groups);
    question.aggregates = std::move(aggregates);
    return question;
}

// From 11:13:20 to 13:47:30: minutes and hours where they are whole, spans at the ends.
std::vector<FigurePiece> mixed_pieces() {
    const auto at = [](std::int64_t minute_of, std::int64_t second_of = 0) {
        return noon + Nanos::hours(10) + Nanos::seconds(minute_of * 60 + second_of);
    };
    using enum RollupLevel;
    return {{at(73, 20), at(74)},       {at(74), at(120), minute}, {at(120), at(180), hour},
            {at(180), at(185), minute}, {at(185), at(187)},        {at(187), at(225), minute},
            {at(225), at(225, 30)}};
}

std::vector<UnixNanos> every(Nanos step, UnixNanos from, UnixNanos to) {
    std::vector<UnixNanos> edges{from};
    while (edges.back() < to) edges.push_back(edges.back() + step);
    return edges;
}

void expect_same(const FigureTables& given, const FigureTables& expected) {
    ASSERT_EQ(given.sets.size(), expected.sets.size());
    for (std::size_t set = 0; set < given.sets.size(); ++set) {
        const Table& a = given.sets[set];
        const Table& b = expected.sets[set];
        ASSERT_EQ(a.columns, b.columns);
        ASSERT_EQ(a.rows.size(), b.rows.size());
        for (std::size_t row = 0; row < a.rows.size(); ++row)
            for (std::size_t column = 0; column < a.columns.size(); ++column) {
                const Cell& x = a.rows[row][column];
                const Cell& y = b.rows[row][column];
                const std::string what = fmt::format("set {} row {} {}", set, row, a.columns[column]);
                const auto* number = std::get_if<double>(&y);
                if (number == nullptr) {
                    EXPECT_EQ(x, y) << what;
                    continue;
                }
                ASSERT_TRUE(std::holds_alternative<double>(x)) << what;
                EXPECT_NEAR(std::get<double>(x), *number, std::abs(*number) * 0.005 + 1e-9) << what;
            }
    }
}

TEST_F(RollupsOfSpans, giveTheFiguresOfTheSpans) {
    begin();
    FigureQuestion question = question_of({test::field("model"), test::field("provider")}, everything());
    question.pieces = mixed_pieces();
    question.edges =
        every(Nanos::seconds(300), noon + Nanos::hours(11) + Nanos::seconds(600), question.pieces.back().to);
    for (FigurePiece& piece : question.pieces)
        if (piece.level == RollupLevel::hour) piece.level = RollupLevel::minute;
    question.sets = {
        {}, {.groups = {0}}, {.groups = {0, 1}}, {.by_time = true}, {.by_time = true, .groups = {1}}};
    const auto given = database_.store().figures(question, {});
    const auto expected = figures_of_rows(database_.store(), question, {});
    ASSERT_TRUE(given && expected) << (given ? expected : given).error().message;
    EXPECT_FALSE(given->exact);
    expect_same(*given, *expected);
}

TEST_F(RollupsOfSpans, giveTheFiguresOfTheSpansFromHoursToo) {
    begin();
    FigureQuestion question =
        question_of({test::field("service_name"), test::field("status_code")}, everything());
    question.pieces = mixed_pieces();
    // The second step begins in the middle of nowhere else than at a whole hour.
    question.edges = {question.pieces[0].from, noon + Nanos::hours(12), noon + Nanos::hours(13),
                      question.pieces.back().to};
    question.filter = test::where("environment", Operator::eq, {std::string("prod")});
    question.sets = {{.by_time = true, .groups = {0}}, {.groups = {1}}, {}};
    const auto given = database_.store().figures(question, {});
    const auto expected = figures_of_rows(database_.store(), question, {});
    ASSERT_TRUE(given && expected) << (given ? expected : given).error().message;
    expect_same(*given, *expected);
}

// A day, hours of the next one, and spans where no hour is whole.
std::vector<FigurePiece> keyed_pieces() {
    const UnixNanos midnight = noon + Nanos::hours(12);
    return {{noon - Nanos::hours(12), midnight, RollupLevel::day},
            {midnight, midnight + Nanos::hours(1), RollupLevel::hour},
            {midnight + Nanos::hours(1), midnight + Nanos::seconds(3600 + 1801)}};
}

TEST_F(RollupsOfSpans, giveTheFiguresOfUsersAndTagsByDays) {
    begin();
    const UnixNanos midnight = noon + Nanos::hours(12);
    for (const char* name : {"user_id", "session_id", "tags"}) {
        std::vector<Aggregate> aggregates;
        for (const Aggregate& one : sums())
            if (one.only.always() && one.name.find("duration") != 0 && one.name.find("ttft") != 0)
                aggregates.push_back(one);
        FigureQuestion question = question_of({test::field("project_id"), test::field(name)}, aggregates);
        question.pieces = keyed_pieces();
        question.edges = {noon - Nanos::hours(12), midnight, midnight + Nanos::hours(1),
                          question.pieces.back().to};
        question.sets = {{.groups = {0, 1}}, {.groups = {1}}, {.by_time = true, .groups = {1}}};
        question.order_by = "calls";
        const auto given = database_.store().figures(question, {});
        const auto expected = figures_of_rows(database_.store(), question, {});
        ASSERT_TRUE(given && expected) << (given ? expected : given).error().message;
        EXPECT_TRUE(given->exact);
        expect_same(*given, *expected);
    }
}

TEST_F(RollupsOfSpans, giveTheErrorsByName) {
    begin();
    FigureQuestion question =
        question_of({test::field("error_code")}, {{.function = Function::count, .name = "calls"}});
    question.pieces = keyed_pieces();
    question.filter = test::where("status_code", Operator::eq, {std::int64_t{2}});
    question.sets = {{.groups = {0}}};
    question.order_by = "calls";
    EXPECT_TRUE(rollups_answer(RollupLevel::hour, question));
    const auto given = database_.store().figures(question, {});
    ASSERT_TRUE(given) << given.error().message;
    expect_same(*given, *figures_of_rows(database_.store(), question, {}));
    EXPECT_EQ(given->sets.front().rows.size(), 5U);
    // What does not fail has no rollup.
    question.filter = {};
    EXPECT_FALSE(rollups_answer(RollupLevel::hour, question));
    question.filter = test::where("status_code", Operator::ne, {std::int64_t{2}});
    EXPECT_FALSE(rollups_answer(RollupLevel::hour, question));
}

TEST_F(RollupsOfSpans, countUsersByDays) {
    begin();
    FigureQuestion question =
        question_of({}, {{.function = Function::distinct, .field = test::field("user_id"), .name = "users"}});
    question.pieces = keyed_pieces();
    question.sets = {{}};
    const auto given = database_.store().figures(question, {});
    ASSERT_TRUE(given) << given.error().message;
    expect_same(*given, *figures_of_rows(database_.store(), question, {}));
}

TEST_F(RollupsOfSpans, thatAreNotFinishedAreReadFromSpans) {
    database_.write(make(1, 500, minutes(0), minutes(10)));
    FigureQuestion question = question_of({}, everything());
    question.pieces = {{noon, noon + Nanos::hours(1), RollupLevel::hour}};
    question.sets = {{}};
    database_.roll_up(database_.stale());
    database_.forget({.org = "o", .user_id = "u1"}, [](const Made& span) { return span.user == "u1"; });
    const auto given = database_.store().figures(question, {});
    ASSERT_TRUE(given) << given.error().message;
    EXPECT_TRUE(given->exact) << "nothing came from a rollup";
    expect_same(*given, *figures_of_rows(database_.store(), question, {}));
}

TEST_F(RollupsOfSpans, quantilesOfManySpansAreSketched) {
    begin();
    FigureQuestion question = question_of({test::field("model")}, everything());
    question.pieces = {{noon, noon + Nanos::hours(24)}};
    question.sets = {{}, {.groups = {0}}};
    const auto exact = database_.store().figures(question, {});
    question.exact_up_to = 1000;
    const auto sketched = database_.store().figures(question, {});
    ASSERT_TRUE(exact && sketched) << (exact ? sketched : exact).error().message;
    EXPECT_TRUE(exact->exact);
    EXPECT_FALSE(sketched->exact);
    expect_same(*exact, *figures_of_rows(database_.store(), question, {}));
    expect_same(*sketched, *exact);
}

TEST(FigurePieces, unfinishedBucketsAreCutOutOfTheirLevel) {
    using enum RollupLevel;
    const auto at = [](int hour) { return noon + Nanos::hours(hour); };
    const std::vector<FigurePiece> pieces{{at(0), at(5), hour}, {at(5), at(6)}};
    const std::set<RollupBucket> unfinished{{minute, at(1)}, {hour, at(2)}, {hour, at(4)}, {day, at(0)}};
    EXPECT_THAT(without(pieces, unfinished),
                testing::ElementsAre(FigurePiece{at(0), at(2), hour}, FigurePiece{at(2), at(3), {}},
                                     FigurePiece{at(3), at(4), hour}, FigurePiece{at(4), at(6), {}}));
}

// ---------------------------------------------------------------------------------------------------------
// kill -9. The child is this program, which runs one test.

TEST(RollupChild, DISABLED_rollsUpAndCorrects) {
    Database database("crash");
    ASSERT_TRUE(database.ready());
    database.write(make(1, 1000, hours(11), hours(2)));
    database.roll_up(database.stale());
    database.write(make(2, 200, hours(11), hours(2)));
    database.demote([](const Made& span) { return span.user == "u2"; });
    database.roll_up(database.stale());
    database.forget({.org = "o", .user_id = "u3"}, [](const Made& span) { return span.user == "u3"; });
    database.roll_up(database.stale());
    database.write(make(3, 1, hours(12), seconds(60)));
    database.roll_up(database.stale());
    expect_rollups(database);
}

int run_child(const std::string& directory, const std::string& failpoint) {
    std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
    std::string filter = "--gtest_filter=RollupChild.*", disabled = "--gtest_also_run_disabled_tests";
    char* argv[] = {program.data(), filter.data(), disabled.data(), nullptr};
    std::vector<std::string> variables = {"OBS_ROLLUP_DIRECTORY=" + directory};
    if (!failpoint.empty()) variables.push_back("LLMOBS_FAILPOINT=" + failpoint);
    for (char** variable = environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
    std::vector<char*> envp;
    for (std::string& variable : variables) envp.push_back(variable.data());
    envp.push_back(nullptr);
    pid_t child = -1;
    if (posix_spawn(&child, program.c_str(), nullptr, nullptr, argv, envp.data()) != 0) return -1;
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

// The fourth bucket list is corrected, the seventh after an erasure.
class RollupCrash : public testing::TestWithParam<const char*> {};
TEST_P(RollupCrash, whatWasNotFinishedIsStaleAndComputedAgain) {
    std::string name = (std::filesystem::temp_directory_path() / "rollups_crash_XXXXXX").string();
    const std::string directory = mkdtemp(name.data());
    EXPECT_EQ(run_child(directory, GetParam()), -SIGKILL);
    EXPECT_EQ(run_child(directory, ""), 0);
    std::error_code ignored;
    std::filesystem::remove_all(directory, ignored);
}
INSTANTIATE_TEST_SUITE_P(Killed, RollupCrash,
                         testing::Values("rollup.taken_back:1", "rollup.computed:2", "rollup.computed:4",
                                         "rollup.taken_back:6", "rollup.computed:7"));

}  // namespace
}  // namespace obs
