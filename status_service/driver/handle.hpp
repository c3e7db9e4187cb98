// What the routes of a status service may ask; app.cpp owns it.
#pragma once

#include "status_service/driver/projection.hpp"

namespace longhaul::status_service {

struct Handles {
    Projection& projection;
    const port::Clock& clock;
    std::uint64_t report_bytes_max = 0;
};

}  // namespace longhaul::status_service
