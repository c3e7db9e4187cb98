// longhaul change: what may still be changed about an invocation that has not ended.
#include "cli/commands.hpp"
#include "cli/describe.hpp"
#include "cli/terminal.hpp"

namespace longhaul::cli {
namespace {

class Change final : public Command {
public:
    Change(CLI::App& app, const Globals& globals)
        : Command(app, globals, "change", "Change what has not ended: priority, times, labels",
                  "  longhaul change ID --priority 0\n"
                  "  longhaul change ID --not-before now          begin what is scheduled\n"
                  "  longhaul change ID --label team=red --label old=\n"
                  "                                               sets one, removes the other\n") {
        sub().add_option("id", id_.text, "The invocation's id")->required();
        sub().add_option("--priority", priority_, "0 (most urgent) … 7")->check(CLI::Range(0, 7));
        sub().add_option("--deadline", deadline_, "Time (RFC 3339) or span by which it has ended");
        sub().add_option("--not-before", not_before_,
                         "Time or span until its earliest begin, or \"now\"; while scheduled");
        sub()
            .add_option("--label", labels_, "k=v, or k= to remove it; may be given again")
            ->expected(1)
            ->take_all();
    }

    int run() override {
        auto change = make_change();
        if (!change) return report(change.error());
        auto client = make_client();
        auto status = client.change(id_, std::move(*change));
        if (!status) return report(status.error());
        print_status(globals(), *status);
        return kExitOk;
    }

private:
    Result<wire::Json> make_change() const {
        wire::Json change = wire::Json::object();
        if (priority_) change.set("priority", std::int64_t{*priority_});
        if (!deadline_.empty()) change.set("deadline", deadline_);
        if (not_before_ == "now")
            change.set("not_before", wire::Json());
        else if (!not_before_.empty())
            change.set("not_before", not_before_);
        wire::Json labels = wire::Json::object();
        for (const auto& text : labels_) {
            auto label = parse_label(text);
            if (!label) return label.error();
            if (label->second.empty())
                labels.set(label->first, wire::Json());
            else
                labels.set(label->first, label->second);
        }
        if (!labels_.empty()) change.set("labels", std::move(labels));
        return change;
    }

    InvocationId id_;
    std::optional<int> priority_;
    std::string deadline_, not_before_;
    std::vector<std::string> labels_;
};

}  // namespace

CommandPtr make_change(CLI::App& app, const Globals& globals) {
    return std::make_unique<Change>(app, globals);
}

}  // namespace longhaul::cli
