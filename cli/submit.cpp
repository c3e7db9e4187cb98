// longhaul submit: hand in an event, and if wished wait for what comes of it.
#include "cli/commands.hpp"
#include "cli/describe.hpp"
#include "cli/local_file.hpp"
#include "cli/terminal.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace longhaul::cli {
namespace {

constexpr std::string_view kExamples =
    "  longhaul submit report --data '{\"seconds\": 20}'      an event; prints the invocation's "
    "id\n"
    "  longhaul submit report --file event.json --wait      wait; stdout is the function's result\n"
    "  echo hello | longhaul submit wordcount - --logs      event from stdin, logs on stderr\n"
    "  longhaul submit report --batch events.ndjson         one event a line; prints the ids\n"
    "  longhaul submit report --key order-17 --label team=a one order, one invocation\n";

// Of one request; below what a gateway takes.
constexpr std::size_t kBatchEvents = 500;
constexpr std::size_t kBatchBytes = std::size_t{4} << 20;

std::string guess_content_type(const std::string& body) {
    const auto first = body.find_first_not_of(" \t\r\n");
    if (first == std::string::npos) return "";
    return body[first] == '{' || body[first] == '[' ? "application/json"
                                                    : "application/octet-stream";
}

class Submit final : public Command {
public:
    Submit(CLI::App& app, const Globals& globals)
        : Command(app, globals, "submit", "Submit an event to a function", std::string(kExamples)) {
        sub().add_option("function", function_, "Name of the function")->required();
        auto* stdin_option = sub()
                                 .add_option("stdin", stdin_, "'-': read the event from stdin")
                                 ->check(CLI::IsMember({"-"}));
        auto* data = sub().add_option("-d,--data", data_, "The event, as text");
        auto* file = sub().add_option("-f,--file", file_, "File that holds the event");
        auto* batch = sub().add_option("--batch", batch_, "File of JSON events, one a line");
        data->excludes(file)->excludes(stdin_option);
        file->excludes(stdin_option);
        batch->excludes(data)->excludes(file)->excludes(stdin_option);
        sub().add_option("--content-type", content_type_,
                         "Of the event (default: JSON if it looks like it)");
        auto* wait = sub().add_flag("-w,--wait", wait_, "Wait for the end and print the result");
        auto* logs =
            sub().add_flag("-l,--logs", logs_, "Follow the logs on stderr, then as --wait");
        auto* key = sub().add_option("-k,--key", key_,
                                     "Idempotency key: the same key is the same invocation");
        auto* id = sub().add_option("--id", id_, "Choose the invocation's id");
        batch->excludes(wait)->excludes(logs)->excludes(key)->excludes(id);
        sub().add_option("--label", labels_, "k=v; may be given again")->expected(1)->take_all();
        sub().add_option("--timeout", timeout_, "Of the run, e.g. 90s; may lower the function's");
        sub().add_option("--queue-ttl", queue_ttl_, "Longest wait for the start, e.g. 1h");
        sub()
            .add_option("--priority", priority_, "0 (most urgent) … 7; the usual is 3")
            ->check(CLI::Range(0, 7));
        sub().add_option("--concurrency-key", concurrency_key_,
                         "Runs of one key do not overlap (function: key_max_running)");
        sub().add_option("--deadline", deadline_, "Time (RFC 3339) or span by which it has ended");
        sub().add_option("--not-before", not_before_, "Time or span until its earliest begin");
        sub().add_option("--retry", retry_, "Attempts, e.g. 3 or 'max_attempts=3, backoff=2s'");
    }

    int run() override {
        if (!batch_.empty()) return submit_batch();
        auto request = make_request();
        if (!request) return report(request.error());
        auto client = make_client();
        auto submitted = client.submit(std::move(*request));
        if (!submitted) return report(submitted.error());
        if (wait_ || logs_) return see_it_end(client, submitted->status.id);
        if (globals().json()) {
            print_status(globals(), submitted->status);
        } else {
            print(submitted->status.id.text + "\n");
            if (stderr_is_terminal())
                fmt::print(stderr, "{}{}; follow it with: longhaul logs -f {}\n",
                           to_string(submitted->status.state),
                           submitted->replayed ? " (known already)" : "",
                           submitted->status.id.text);
        }
        return kExitOk;
    }

private:
    Result<client::SubmitRequest> make_request() {
        client::SubmitRequest request;
        auto name = parse_function_name(function_);
        if (!name) return name.error();
        request.function = std::move(*name);
        if (!id_.empty()) {
            auto id = parse_invocation_id(id_);
            if (!id) return id.error();
            request.id = std::move(*id);
        }
        for (const auto& text : labels_) {
            auto label = parse_label(text);
            if (!label) return label.error();
            request.labels.push_back(std::move(*label));
        }
        auto body = read_body();
        if (!body) return body.error();
        request.body = std::move(*body);
        request.content_type =
            content_type_.empty() ? guess_content_type(request.body) : content_type_;
        request.idempotency_key = key_;
        request.timeout = timeout_;
        request.queue_ttl = queue_ttl_;
        request.deadline = deadline_;
        request.not_before = not_before_;
        request.priority = priority_;
        request.concurrency_key = concurrency_key_;
        request.retry = retry_;
        return request;
    }

    Result<std::string> read_body() const {
        if (!stdin_.empty()) return read_stdin();
        if (!file_.empty()) return read_file(file_);
        return data_;
    }

    // Each line as one event. Prints the ids, in order; what is refused is named on stderr.
    int submit_batch() {
        auto text = read_file(batch_);
        if (!text) return report(text.error());
        auto client = make_client();
        int exit_code = kExitOk;
        std::string lines;
        std::size_t count = 0;
        std::size_t first_line = 1;
        std::size_t line_number = 0;
        for (std::size_t begin = 0; begin < text->size(); ++line_number) {
            const std::size_t end = std::min(text->find('\n', begin), text->size());
            auto line = batch_line(std::string_view(*text).substr(begin, end - begin));
            begin = end + 1;
            if (!line)
                return report(make_error(
                    Errc::invalid_argument,
                    fmt::format("{}:{}: {}", batch_, line_number + 1, line.error().message)));
            const bool is_full =
                count == kBatchEvents || (count > 0 && lines.size() + line->size() > kBatchBytes);
            if (is_full) {
                exit_code = std::max(exit_code, send_batch(client, lines, first_line));
                lines.clear();
                count = 0;
                first_line = line_number + 1;
            }
            lines += *line;
            ++count;
        }
        if (count > 0) exit_code = std::max(exit_code, send_batch(client, lines, first_line));
        return exit_code;
    }

    Result<std::string> batch_line(std::string_view event) const {
        auto data = wire::parse_json(event);
        if (!data) return data.error();
        wire::Json headers = wire::Json::object();
        const auto add = [&headers](std::string_view name, const std::string& value) {
            if (!value.empty()) headers.set(name, value);
        };
        add("Content-Type", content_type_);
        add("Invocation-Timeout", timeout_);
        add("Invocation-Queue-TTL", queue_ttl_);
        add("Invocation-Deadline", deadline_);
        add("Invocation-Not-Before", not_before_);
        add("Invocation-Concurrency-Key", concurrency_key_);
        add("Invocation-Retry", retry_);
        if (!priority_.empty()) add("Priority", "u=" + priority_);
        wire::Json item = wire::Json::object();
        item.set("function", function_).set("data", std::move(*data));
        item.set("headers", std::move(headers));
        wire::Json labels = wire::Json::object();
        for (const auto& text : labels_) {
            auto label = parse_label(text);
            if (!label) return label.error();
            labels.set(label->first, label->second);
        }
        item.set("labels", std::move(labels));
        return item.dump() + "\n";
    }

    int send_batch(client::BlockingClient& client, const std::string& lines,
                   std::size_t first_line) const {
        auto answer = client.submit_batch(lines);
        if (!answer) return report(answer.error());
        int exit_code = kExitOk;
        std::size_t line = first_line;
        if (const auto* results = (*answer)["results"].as_array())
            for (const wire::Json& result : *results) {
                if (const auto* id = result["id"].as_string()) {
                    print(*id + "\n");
                } else {
                    const auto* detail = result["problem"]["detail"].as_string();
                    fmt::print(stderr, "longhaul: {}:{}: {}\n", batch_, line,
                               detail ? *detail : std::string("refused"));
                    exit_code = kExitRefused;
                }
                ++line;
            }
        return exit_code;
    }

    // Logs on stderr, the result on stdout, the end as exit code.
    int see_it_end(client::BlockingClient& client, const InvocationId& id) {
        fmt::print(stderr, "{}\n", id.text);
        if (logs_) {
            auto started = wait_for_start(client, id);
            if (!started) return report(started.error());
            client::LogRequest logs;
            logs.id = id;
            logs.follow = true;
            if (auto shown = print_logs(client, std::move(logs), false, false, stderr); !shown)
                return report(shown.error());
        }
        auto ended = wait_for_end(client, id);
        if (!ended) return report(ended.error());
        if (globals().json()) {
            print_status(globals(), *ended);
        } else if (ended->state == State::succeeded) {
            if (auto shown = print_result(client, id); !shown) return report(shown.error());
        } else {
            fmt::print(stderr, "longhaul: {}\n", describe_end(*ended));
        }
        return exit_code_of(ended->state);
    }

    std::string function_, stdin_, data_, file_, content_type_, key_, id_, timeout_, queue_ttl_,
        deadline_, not_before_, priority_, concurrency_key_, retry_, batch_;
    std::vector<std::string> labels_;
    bool wait_ = false;
    bool logs_ = false;
};

}  // namespace

CommandPtr make_submit(CLI::App& app, const Globals& globals) {
    return std::make_unique<Submit>(app, globals);
}

}  // namespace longhaul::cli
