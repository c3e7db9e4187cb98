#include "longhaul/net/impl/head_parser.hpp"

#include "longhaul/base/assert.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>

namespace longhaul::net {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

template <bool is_request>
class FieldParser final : public http::basic_parser<is_request> {
public:
    explicit FieldParser(ParsedHead& out) : out_(out) {
        this->header_limit(UINT32_MAX);  // bounded before
        this->body_limit(boost::none);
    }

private:
    static std::string_view view(string_view text) { return {text.data(), text.size()}; }

    void on_request_impl(http::verb, string_view method, string_view target, int,
                         error_code&) override {
        out_.method.assign(view(method));
        out_.target.assign(view(target));
    }
    void on_response_impl(int code, string_view, int, error_code&) override { out_.status = code; }
    void on_field_impl(http::field, string_view name, string_view value, error_code&) override {
        out_.headers.emplace_back(view(name), view(value));
    }
    void on_header_impl(error_code&) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
    std::size_t on_body_impl(string_view, error_code&) override { return 0; }
    void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, string_view, error_code&) override { return 0; }
    void on_finish_impl(error_code&) override {}

    ParsedHead& out_;
};

template <bool is_request>
std::string parse(std::string_view block, ParsedHead& out) {
    FieldParser<is_request> parser(out);
    error_code error;
    const boost::asio::const_buffer bytes(block.data(), block.size());
    parser.put(bytes, error);
    if (error) return error.message();
    if (!parser.is_header_done()) return "the header is incomplete";
    return {};
}

}  // namespace

std::string parse_request_head(std::string_view block, ParsedHead& out) {
    return parse<true>(block, out);
}

std::string parse_response_head(std::string_view block, ParsedHead& out) {
    return parse<false>(block, out);
}

}  // namespace longhaul::net
