/**
 * @file  hk_build.h
 * @brief Which firmware this is: its version and the id of this very build.
 *
 * The id is the linker's GNU build-id (SHA-1 over the image's content), so a report that quotes it names one image.
 */
#ifndef HK_BUILD_H
#define HK_BUILD_H

#include <stdint.h> /* uint8_t */

#ifndef HK_BUILD_VERSION
#define HK_BUILD_VERSION "0.0.0" /* the build plan gives the project's version */
#endif

#define HK_BUILD_ID_BYTES 20U

extern const uint8_t hk_build_id[HK_BUILD_ID_BYTES];

#endif /* HK_BUILD_H */
