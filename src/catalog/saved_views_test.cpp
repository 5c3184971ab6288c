#include "catalog/saved_views.h"

#include <gtest/gtest.h>

#include "catalog/test_bed.h"

namespace obs {
namespace {

using test::Backend;
using test::CatalogBed;

constexpr UnixNanos now{1'800'000'000'000'000'000};

class SavedViewsTest : public testing::TestWithParam<Backend> {
protected:
    SavedView view(std::string_view owner, std::string_view name, bool shared = false) {
        return {.id = {},
                .org = "default",
                .project = "default",
                .owner = std::string(owner),
                .name = std::string(name),
                .shared = shared,
                .question = R"({"view":"calls"})",
                .created = now,
                .changed = now};
    }
    ViewChange keep(SavedView made) {
        const auto kept = views.create(made);
        EXPECT_TRUE(kept) << kept.error().message;
        last = made;
        return kept.value_or(ViewChange::gone);
    }
    std::string names(std::string_view owner, const std::vector<std::string>& projects = {}) {
        const auto found = views.visible("default", owner, projects);
        std::string text;
        for (const SavedView& one : *found) text += one.name + " ";
        return text;
    }

    CatalogBed bed{GetParam()};
    Catalog catalog = bed.open();
    SavedViews views{catalog};
    SavedView last;
};
INSTANTIATE_TEST_SUITE_P(Backends, SavedViewsTest, testing::Values(Backend::sqlite, Backend::postgresql),
                         [](const auto& test) { return test::name_of(test.param); });

TEST_P(SavedViewsTest, areKeptAsMade) {
    ASSERT_EQ(keep(view("ann", "errors of gpt-4o", true)), ViewChange::done);
    const auto found = views.view_of("default", last.id);
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->name, "errors of gpt-4o");
    EXPECT_EQ((*found)->owner, "ann");
    EXPECT_EQ((*found)->question, R"({"view":"calls"})");
    EXPECT_TRUE((*found)->shared);
    EXPECT_EQ((*found)->created, now);
    EXPECT_FALSE(*views.view_of("another", last.id)) << "of another organisation";
}

TEST_P(SavedViewsTest, areSeenByTheirOwnerUnlessShared) {
    keep(view("ann", "b"));
    keep(view("ann", "a", true));
    keep(view("bob", "c"));
    EXPECT_EQ(names("ann"), "a b ");
    EXPECT_EQ(names("bob"), "a c ");
    EXPECT_EQ(names("eve"), "a ");
    EXPECT_EQ(names("eve", {"default"}), "a ");
    EXPECT_EQ(names("eve", {"elsewhere"}), "");
}

TEST_P(SavedViewsTest, haveOneNameEach) {
    EXPECT_EQ(keep(view("ann", "a")), ViewChange::done);
    EXPECT_EQ(keep(view("ann", "a")), ViewChange::taken);
    EXPECT_EQ(keep(view("bob", "a")), ViewChange::done) << "names are one's own";
    EXPECT_EQ(keep(view("ann", "b")), ViewChange::done);
    last.name = "a";
    EXPECT_EQ(*views.change(last), ViewChange::taken);
    last.name = "c";
    last.question = "{}";
    EXPECT_EQ(*views.change(last), ViewChange::done);
    EXPECT_EQ((*views.view_of("default", last.id))->question, "{}");
}

TEST_P(SavedViewsTest, areDeletedOnce) {
    keep(view("ann", "a"));
    EXPECT_EQ(*views.remove(last), ViewChange::done);
    EXPECT_EQ(*views.remove(last), ViewChange::gone);
    EXPECT_EQ(*views.change(last), ViewChange::gone);
    EXPECT_EQ(names("ann"), "");
}

TEST_P(SavedViewsTest, areLimitedForEachOwner) {
    for (std::int64_t at = 0; at < SavedViews::most_of_an_owner; ++at)
        ASSERT_EQ(keep(view("ann", std::to_string(at))), ViewChange::done);
    EXPECT_EQ(keep(view("ann", "one more")), ViewChange::too_many);
    EXPECT_EQ(keep(view("bob", "another's")), ViewChange::done);
}

TEST_P(SavedViewsTest, keepQuotesAsTheyAre) {
    const std::string nasty = "'; DROP TABLE saved_views; --";
    EXPECT_EQ(keep(view(nasty, nasty)), ViewChange::done);
    EXPECT_EQ(names(nasty), nasty + " ");
}

}  // namespace
}  // namespace obs
