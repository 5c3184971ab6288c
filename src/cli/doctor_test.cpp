#include "cli/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "catalog/catalog.h"
#include "catalog/data_directory.h"
#include "catalog/scratch.h"

namespace obs::cli {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

constexpr std::uint64_t gibi = 1ULL << 30;

class DoctorTest : public testing::Test {
protected:
    DoctorTest() {
        loaded_.settings.data = scratch_.path() / "data";
        loaded_.settings.store = StoreKind::memory;
        for (Address* address :
             {&loaded_.settings.api, &loaded_.settings.otlp_grpc, &loaded_.settings.otlp_http})
            address->port = 0;
    }
    // What a server leaves behind.
    void make_directory() {
        const Result<DataDirectory> made = DataDirectory::open(loaded_.settings.data, Lock::take);
        ASSERT_TRUE(made) << made.error().message;
        ASSERT_TRUE(Catalog::open(made->catalog_file(), Migrations::apply));
    }
    std::string report() {
        constexpr std::string_view words[]{"ok", "warning", "broken"};
        std::string text;
        for (const Finding& finding : examine(loaded_, environment_, machine_)) {
            text += fmt::format("{} {}\n", words[static_cast<std::size_t>(finding.health)], finding.what);
            if (finding.health == Health::warning) {
                EXPECT_NE(finding.fix, "") << finding.what;
            }
        }
        return text;
    }

    Scratch scratch_;
    Loaded loaded_{};
    Environment environment_;
    Disk disk_{.size = 100 * gibi, .available = 50 * gibi, .type = "ext4"};
    Surroundings machine_{.sse42 = true,
                          .open_files = 1'000'000,
                          .memory = 8 * gibi,
                          .now = {1'800'000'000'000'000'000},
                          .executable = scratch_.path() / "observatory",
                          .disk = [this](const fs::path&) { return Result<Disk>(disk_); }};
};

TEST_F(DoctorTest, findsNothingWrongWithAGoodDirectory) {
    make_directory();
    EXPECT_THAT(report(), Not(HasSubstr("warning")));
    EXPECT_THAT(report(), Not(HasSubstr("broken")));
}

TEST_F(DoctorTest, changesNothing) {
    report();
    EXPECT_FALSE(fs::exists(loaded_.settings.data));
}

struct Trouble {
    std::string_view what;
    std::function<void(Surroundings&, Disk&, ServeSettings&)> cause;
    std::string_view says;
};
class Machines : public DoctorTest, public testing::WithParamInterface<Trouble> {};
TEST_P(Machines, areExamined) {
    make_directory();
    GetParam().cause(machine_, disk_, loaded_.settings);
    EXPECT_THAT(report(), HasSubstr(std::string(GetParam().says)));
}
INSTANTIATE_TEST_SUITE_P(
    Doctor, Machines,
    testing::Values(
        Trouble{"old_processor", [](Surroundings& m, Disk&, ServeSettings&) { m.sse42 = false; },
                "broken processor: has no SSE4.2"},
        Trouble{"few_files", [](Surroundings& m, Disk&, ServeSettings&) { m.open_files = 1024; },
                "warning open files: only 1024 allowed"},
        Trouble{"clock_in_1970", [](Surroundings& m, Disk&, ServeSettings&) { m.now = {0}; },
                "broken clock: says 1970-01-01"},
        Trouble{"disk_nearly_full", [](Surroundings&, Disk& d, ServeSettings&) { d.available = 4 * gibi; },
                "less than 5 % is free"},
        Trouble{"journal_does_not_fit",
                [](Surroundings&, Disk& d, ServeSettings&) { d.available = 8 * gibi; },
                "warning disk: ext4, 8.0 GiB free of 100.0 GiB; the journal may need 10.0 GiB"},
        Trouble{"network_disk", [](Surroundings&, Disk& d, ServeSettings&) { d.network = true; },
                "it is a network disk"},
        Trouble{"disk_of_memory", [](Surroundings&, Disk& d, ServeSettings&) { d.volatile_memory = true; },
                "it is memory"},
        Trouble{"little_memory",
                [](Surroundings& m, Disk&, ServeSettings& s) {
                    m.memory = gibi;
                    s.store = StoreKind::embedded;
                },
                "broken memory: 512 MiB of memory leave too little"},
        Trouble{"more_memory_than_there_is",
                [](Surroundings&, Disk&, ServeSettings& s) {
                    s.memory = 16 * gibi;
                    s.store = StoreKind::embedded;
                },
                "broken memory: --memory is 16.0 GiB, and the machine has 8.0 GiB"},
        Trouble{"engine_missing",
                [](Surroundings&, Disk&, ServeSettings& s) { s.store = StoreKind::embedded; },
                "broken engine: libchdb.so is neither at"},
        Trouble{"certificate_missing",
                [](Surroundings&, Disk&, ServeSettings& s) { s.tls_certificate = "/nowhere/a.pem"; },
                "broken configuration: cannot read /nowhere/a.pem: No such file"},
        Trouble{"open_without_tls", [](Surroundings&, Disk&, ServeSettings& s) { s.api.host = "0.0.0.0"; },
                "warning configuration: 0.0.0.0:0 is open to the network without TLS"},
        Trouble{"open_without_key",
                [](Surroundings&, Disk&, ServeSettings& s) { s.otlp_grpc.host = "0.0.0.0"; },
                "warning catalog: there is no ingest key"},
        Trouble{"host_unknown",
                [](Surroundings&, Disk&, ServeSettings& s) { s.api.host = "no.such.host.invalid"; },
                "broken address: cannot listen on no.such.host.invalid:0"}),
    [](const auto& test) { return std::string(test.param.what); });

TEST_F(DoctorTest, saysWhenThereIsNoDirectoryYet) {
    EXPECT_THAT(report(), HasSubstr("warning data directory: there is none at"));
}

TEST_F(DoctorTest, saysWhoUsesTheDirectory) {
    make_directory();
    const Result<DataDirectory> server = DataDirectory::open(loaded_.settings.data, Lock::take);
    EXPECT_THAT(report(), HasSubstr(fmt::format("ok data directory: in use by process {}", ::getpid())));
}

TEST_F(DoctorTest, saysWhenTheDirectoryIsOfANewerProgram) {
    make_directory();
    scratch_.write("data/format", "7\n");
    EXPECT_THAT(report(), HasSubstr("broken data directory: " + loaded_.settings.data.string() +
                                    " has format 7, made by a newer program"));
}

TEST_F(DoctorTest, saysWhenTheDirectoryIsSomethingElse) {
    scratch_.write("data", "a file");
    EXPECT_THAT(report(), HasSubstr("is a file"));
    fs::remove(loaded_.settings.data);
    fs::create_directory(loaded_.settings.data);
    EXPECT_THAT(report(), HasSubstr("broken data directory: there is no data directory at"));
}

TEST_F(DoctorTest, saysWhenOthersMayLookInside) {
    make_directory();
    fs::permissions(loaded_.settings.data, fs::perms(0755));
    EXPECT_THAT(report(), HasSubstr("warning data directory: others may look into"));
}

TEST_F(DoctorTest, saysWhenThePartsOfTheDirectoryAreMissing) {
    make_directory();
    fs::remove(loaded_.settings.data / "catalog.sqlite");
    fs::remove(loaded_.settings.data / "journal");
    EXPECT_THAT(report(), HasSubstr("broken catalog: there is no catalog"));
    EXPECT_THAT(report(), HasSubstr("broken data directory: cannot read the journal"));
}

TEST_F(DoctorTest, saysWhenTheJournalIsNearlyFull) {
    make_directory();
    loaded_.settings.journal_budget = 1000;
    scratch_.write("data/journal/1", std::string(950, 'x'));
    EXPECT_THAT(report(), HasSubstr("warning journal:"));
}

TEST_F(DoctorTest, saysWhenTheEngineIsNoLibrary) {
    make_directory();
    loaded_.settings.store = StoreKind::embedded;
    loaded_.settings.engine_library = scratch_.write("libchdb.so", "text");
    EXPECT_THAT(report(), HasSubstr("broken engine: cannot load"));
}

TEST_F(DoctorTest, repeatsEveryProblemOfTheConfiguration) {
    loaded_.problems = {"--api: wrong", "o.yaml line 3: wrong too"};
    EXPECT_THAT(
        report(),
        HasSubstr("broken configuration: --api: wrong\nbroken configuration: o.yaml line 3: wrong too\n"));
}

TEST_F(DoctorTest, saysWhenTheSecretIsShortWithoutShowingIt) {
    environment_ = {{"JWT_SECRET", "hunter2"}};
    EXPECT_THAT(report(), HasSubstr("broken configuration: JWT_SECRET has 7 characters"));
    EXPECT_THAT(report(), Not(HasSubstr("hunter2")));
}

TEST_F(DoctorTest, saysWhenAnAddressIsTaken) {
    make_directory();
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
    ASSERT_EQ(::listen(listener, 1), 0);
    ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
    loaded_.settings.api.port = ntohs(address.sin_port);
    EXPECT_THAT(report(),
                HasSubstr(fmt::format("broken address: cannot listen on 127.0.0.1:{}: Address already in use",
                                      loaded_.settings.api.port)));
    ::close(listener);
}

}  // namespace
}  // namespace obs::cli
