#ifndef SYNCLINE_COMMON_IO_POSIX_FILE_SYSTEM_H_
#define SYNCLINE_COMMON_IO_POSIX_FILE_SYSTEM_H_

#include "common/io/file_system.h"

namespace syncline {

// The files of this machine. Sync is fsync(2), also for folders. One object for the whole process,
// never destroyed.
FileSystem& PosixFileSystem();

}  // namespace syncline

#endif  // SYNCLINE_COMMON_IO_POSIX_FILE_SYSTEM_H_
