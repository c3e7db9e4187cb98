// The filter that cancel, kill, retry and purge take instead of an id, and what they then tell.
#pragma once

#include "cli/command.hpp"

#include <string>
#include <vector>

namespace longhaul::cli {

class BulkOptions {
public:
    // Adds --function, --state, --label, --since, --until, --all and --dry-run.
    explicit BulkOptions(CLI::App& sub);

    // Whether any of them was given.
    [[nodiscard]] bool chosen() const;
    // Does `verb` to all that match, prints what became of them, and returns the exit code.
    int run(client::BlockingClient& client, const Globals& globals, const std::string& verb,
            const client::StopRequest& wishes = {});

private:
    client::BulkRequest request_;
    std::vector<std::string> labels_;
};

// Neither an id nor a filter, or both: says so. 0 where it is well.
[[nodiscard]] int check_target(const std::string& id, const BulkOptions& bulk);

}  // namespace longhaul::cli
