#include "longhaul/net/impl/http_text.hpp"
#include "longhaul/net/metrics_page.hpp"
#include "longhaul/net/sse.hpp"
#include "tests/support/catch.hpp"

namespace longhaul::net::test {

TEST_CASE("an event is framed so that no data can end it early") {
    CHECK(format_sse({"4", "state", "running"}) == "id: 4\nevent: state\ndata: running\n\n");
    CHECK(format_sse({"", "", "a\nb\r\nc\rd"}) == "data: a\ndata: b\ndata: c\ndata: d\n\n");
    CHECK(format_sse({"1\ndata: x", "", ""}) == "id: 1data: x\ndata: \n\n");
}

TEST_CASE("metrics are grouped by family and escaped") {
    MetricSamples samples(3);
    samples[0] = {"a_total", "As \\ and\nmore", MetricType::counter, {{"x", "q\"\\\n"}}, 3};
    samples[1] = {"b", "B", MetricType::gauge, {}, 0.5};
    samples[2] = {"a_total", "As", MetricType::counter, {{"x", "2"}}, 4};
    CHECK(format_metrics(samples) ==
          "# HELP a_total As \\\\ and\\nmore\n# TYPE a_total counter\n"
          "a_total{x=\"q\\\"\\\\\\n\"} 3\na_total{x=\"2\"} 4\n"
          "# HELP b B\n# TYPE b gauge\nb 0.5\n");
}

TEST_CASE("a histogram is cumulative and ends in +Inf") {
    MetricSample sample{"t_seconds", "T", MetricType::histogram, {{"r", "x"}}};
    sample.histogram.observe(0.0002);
    sample.histogram.observe(2);
    sample.histogram.observe(1e9);
    const auto text = format_metrics({sample});
    CHECK(text.find("t_seconds_bucket{r=\"x\",le=\"0.00025\"} 1\n") != std::string::npos);
    CHECK(text.find("t_seconds_bucket{r=\"x\",le=\"5\"} 2\n") != std::string::npos);
    CHECK(text.find("t_seconds_bucket{r=\"x\",le=\"+Inf\"} 3\n") != std::string::npos);
    CHECK(text.find("t_seconds_count{r=\"x\"} 3\n") != std::string::npos);
}

TEST_CASE("words of HTTP are read as the standards say") {
    CHECK(list_has("close, TE", "te"));
    CHECK(!list_has("closed", "close"));
    CHECK(percent_decode("a%20b+%2B") == "a b++");
    CHECK(!percent_decode("%2"));
    CHECK(!percent_decode("%zz"));
    CHECK(!parse_digits("1 "));
    CHECK(!parse_digits(""));
    CHECK(!parse_digits("+1"));
    DateLine date;
    CHECK(date.at(TimePoint(std::chrono::seconds(784111777))) ==
          "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
}

}  // namespace longhaul::net::test
