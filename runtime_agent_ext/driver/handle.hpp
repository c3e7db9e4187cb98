// What the routes may know of the driver: Agent, and what it hands out.
#pragma once

#include "runtime_agent_ext/driver/agent.hpp"
