// A new folder under the system's folder for temporary files, removed with its contents at the end.
#pragma once

#include "longhaul/base/assert.hpp"

#include <stdlib.h>

#include <filesystem>
#include <string>

namespace longhaul::test {

class TempFolder {
public:
    TempFolder() {
        path_ = (std::filesystem::temp_directory_path() / "longhaul-test-XXXXXX").string();
        LH_ASSERT(::mkdtemp(path_.data()) != nullptr);
    }
    ~TempFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string operator/(const std::string& name) const {
        return path_ + "/" + name;
    }

private:
    std::string path_;
};

}  // namespace longhaul::test
