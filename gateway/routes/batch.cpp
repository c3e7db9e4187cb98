// Many submits in one request: a line each, an answer each, one commit for all of them.
//
// A line becomes the request that a single submit would have been, so that the rules and the
// errors are the same.
#include "gateway/routes/document.hpp"
#include "gateway/routes/handlers.hpp"
#include "gateway/routes/submit_options.hpp"
#include "longhaul/wire/base64.hpp"
#include "longhaul/wire/problem_json.hpp"

#include <list>

namespace longhaul::gateway::routes {
namespace {

class TextSource final : public port::ByteSource {
public:
    explicit TextSource(std::string text) : text_(std::move(text)) {}
    boost::asio::awaitable<Result<std::string>> read() override {
        co_return std::exchange(text_, std::string());
    }

private:
    std::string text_;
};

// What one line asks for, or why it asks for nothing.
struct Item {
    std::optional<Error> problem{};
    std::string text{};
    SubmitInput input{};
};

Error invalid(std::string why) { return make_error(Errc::invalid_argument, std::move(why)); }

// "data" as JSON, "text" as it is, or "base64"; at most one of them.
Result<void> read_body(wire::ObjectReader& reader, net::Request& request, std::string& body) {
    std::string base64;
    const wire::Json* data = reader.member("data");
    const bool has_text = reader.text("text", body);
    const bool has_base64 = reader.text("base64", base64);
    if ((data ? 1 : 0) + (has_text ? 1 : 0) + (has_base64 ? 1 : 0) > 1)
        return invalid("more than one of data, text, base64");
    if (data) {
        body = data->dump();
        if (!request.header("Content-Type"))
            request.headers.emplace_back("Content-Type", "application/json");
    }
    if (!has_base64) return {};
    auto decoded = wire::base64_decode(base64);
    if (!decoded) return invalid("base64: is not base64");
    body = std::move(*decoded);
    return {};
}

Result<void> read_item(const Api& api, const TenantName& tenant, std::string_view line,
                       Item& item) {
    const auto json = wire::parse_json(line);
    if (!json) return json.error();
    if (!json->as_object()) return invalid("the line is no JSON object");
    std::string function;
    std::string id;
    net::Request as_single;
    wire::ObjectReader reader{*json};
    reader.text("function", function);
    reader.require("function");
    reader.text("id", id);
    std::vector<std::pair<std::string, std::string>> headers;
    reader.text_map("headers", headers);
    for (auto& header : headers) as_single.headers.push_back(std::move(header));
    std::vector<std::pair<std::string, std::string>> labels;
    reader.text_map("labels", labels);
    for (const auto& [label, value] : labels)
        as_single.headers.emplace_back("Invocation-Label", label + "=" + value);
    auto body = read_body(reader, as_single, item.text);
    if (auto done = reader.finish_strict(); !done) return done.error();
    if (!body) return body.error();
    auto name = parse_function_name(function);
    if (!name) return make_error(Errc::invalid_argument, name.error().message, "invalid-name");
    if (!id.empty()) {
        auto chosen = parse_invocation_id(id);
        if (!chosen)
            return make_error(Errc::invalid_argument, chosen.error().message, "invalid-id");
        item.input.chosen_id = std::move(*chosen);
    }
    auto options = parse_submit_headers(as_single, api.gateway.clock().now(), api.options);
    if (!options) return options.error();
    item.input.tenant = tenant;
    item.input.function = std::move(*name);
    item.input.content_type = std::string(as_single.header("Content-Type").value_or(""));
    item.input.options = std::move(options->options);
    item.input.options_text = std::move(options->options_text);
    item.input.content_length = item.text.size();
    return {};
}

Result<std::vector<Item>> read_items(const Api& api, const TenantName& tenant,
                                     std::string_view text) {
    std::vector<Item> items;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        std::string_view line = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
        if (items.size() == api.options.submits_max) {
            Error error =
                make_error(Errc::too_large, "more than " + std::to_string(api.options.submits_max) +
                                                " events in one batch");
            error.limit = api.options.submits_max;
            error.scope = "batch";
            return error;
        }
        Item& item = items.emplace_back();
        if (auto read = read_item(api, tenant, line, item); !read) item.problem = read.error();
    }
    return items;
}

wire::Json answer_document(const Result<Submitted>& answer) {
    if (!answer) {
        wire::Json problem = wire::problem(answer.error());
        return wire::Json::object()
            .set("status", wire::http_status(answer.error().code))
            .set("problem", std::move(problem));
    }
    return wire::Json::object()
        .set("status", 202)
        .set("id", answer->id.text)
        .set("replayed", answer->replayed)
        .set("location", path_of(answer->id));
}

}  // namespace

Answer submit_batch(const Api& api, net::Request& request) {
    auto tenant = tenant_of(api, request);
    if (!tenant) co_return net::problem_response(tenant.error());
    auto text = co_await port::read_all(*request.body, api.options.submits_bytes_max);
    if (!text) co_return net::problem_response(text.error());
    auto items = read_items(api, *tenant, *text);
    if (!items) co_return net::problem_response(items.error());

    std::vector<SubmitInput> inputs;
    std::list<TextSource> bodies;
    for (Item& item : *items) {
        if (item.problem) continue;
        item.input.body = &bodies.emplace_back(std::move(item.text));
        inputs.push_back(std::move(item.input));
    }
    const auto answers = co_await api.gateway.submit_all(std::move(inputs));
    std::uint64_t accepted = 0;
    std::size_t next = 0;
    wire::Json results = wire::Json::array();
    for (const Item& item : *items) {
        const Result<Submitted> answer =
            item.problem ? Result<Submitted>(*item.problem) : answers[next++];
        if (answer) ++accepted;
        results.push(answer_document(answer));
    }
    wire::Json document = wire::Json::object();
    document.set("accepted", accepted)
        .set("refused", std::uint64_t{items->size()} - accepted)
        .set("results", std::move(results));
    co_return net::json_response(200, document);
}

}  // namespace longhaul::gateway::routes
