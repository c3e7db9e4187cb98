#include "tests/unit/journal/journal_fixture.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

namespace longhaul::journal {

void JournalFixture::let_run(FileJournal& journal, Duration span) {
    boost::asio::cancellation_signal stop;
    bool ended = false;
    boost::asio::co_spawn(
        context, journal.run(),
        boost::asio::bind_cancellation_slot(stop.slot(), [&ended](std::exception_ptr failure) {
            CHECK_FALSE(failure);
            ended = true;
        }));
    test::run_for(context, clock, span);
    stop.emit(boost::asio::cancellation_type::terminal);
    test::settle(context);
    REQUIRE(ended);
}

}  // namespace longhaul::journal
