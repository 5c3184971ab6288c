#include "catalog/test_bed.h"

#include <array>
#include <cstdio>
#include <stdexcept>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include "catalog/data_directory.h"

extern char** environ;

namespace obs::test {
namespace {

// tests/postgres: it says its address, and ends when its input does; so also when this program dies.
class Server {
public:
    Server() {
        std::array<int, 2> input{}, output{};
        if (::pipe2(input.data(), O_CLOEXEC) != 0 || ::pipe2(output.data(), O_CLOEXEC) != 0)
            throw std::runtime_error("no pipes");
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, input[0], 0);
        posix_spawn_file_actions_adddup2(&actions, output[1], 1);
        std::string program = "tests/postgres", directory = (scratch_.path() / "postgres").string();
        std::array<char*, 3> arguments{program.data(), directory.data(), nullptr};
        const int failed =
            ::posix_spawn(&process_, program.c_str(), &actions, nullptr, arguments.data(), environ);
        posix_spawn_file_actions_destroy(&actions);
        ::close(input[0]);
        ::close(output[1]);
        input_ = input[1];
        if (failed != 0) throw std::runtime_error("cannot run tests/postgres; the tests run in the checkout");
        char c = 0;
        while (::read(output[0], &c, 1) == 1 && c != '\n') url_ += c;
        ::close(output[0]);
        if (url_.empty()) throw std::runtime_error("tests/postgres did not start a server");
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server() {
        ::close(input_);
        int status = 0;
        ::waitpid(process_, &status, 0);
    }

    void run(const std::string& database, const std::string& statement) const {
        soci::session sql(soci::postgresql, url_ + database + "?connect_timeout=10");
        sql << statement;
    }
    std::string fresh_database() const {
        const std::string name = "t" + random_text(12);
        run("postgres", "CREATE DATABASE \"" + name + "\" TEMPLATE template0");
        return url_ + name;
    }

private:
    struct Open : Scratch {
        // The server runs as another user, who must come through.
        Open() {
            std::filesystem::permissions(path(), std::filesystem::perms::others_exec,
                                         std::filesystem::perm_options::add);
        }
    };
    Open scratch_;
    pid_t process_ = -1;
    int input_ = -1;
    std::string url_;
};

const Server& server() {
    static const Server one;
    return one;
}

}  // namespace

CatalogBed::CatalogBed(Backend backend)
    : url_(backend == Backend::sqlite ? std::string() : server().fresh_database()) {}

CatalogAddress CatalogBed::address() const {
    return CatalogAddress::of(url_, scratch_.path() / "catalog.sqlite").value();
}

Catalog CatalogBed::open(Migrations migrations) const {
    Result<Catalog> opened = Catalog::open(address(), migrations);
    if (!opened) throw std::runtime_error(opened.error().message);
    return *std::move(opened);
}

void CatalogBed::run_sql(const std::string& statement) const {
    if (url_.empty()) {
        soci::session sql(soci::sqlite3, "db=" + (scratch_.path() / "catalog.sqlite").string());
        sql << statement;
    } else {
        server().run(url_.substr(url_.rfind('/') + 1), statement);
    }
}

void CatalogBed::cut_connections() const {
    server().run("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" +
                                 url_.substr(url_.rfind('/') + 1) + "'");
}

}  // namespace obs::test
