/**
 * @file  hk_test.h
 * @brief Unit tests in C, the same on an emulated core and on the host.
 *
 * A suite is a folder test_<subject>/ with one C file that defines `hk_tests` and `hk_n_tests`:
 *
 *     static void adds(void) { HK_TEST_EQUAL(1 + 1, 2); }
 *     const hk_test_t hk_tests[] = {HK_TEST(adds)};
 *     const uint32_t hk_n_tests = sizeof hk_tests / sizeof hk_tests[0];
 *
 * It is linked with the whole firmware except the main loop, and run by `pio test`. A check that fails ends its test.
 */
#ifndef HK_TEST_H
#define HK_TEST_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* int64_t, uint32_t */

typedef struct {
    const char *name;
    void (*run)(void);
} hk_test_t;

#define HK_TEST(function) {#function, function}

extern const hk_test_t hk_tests[];
extern const uint32_t hk_n_tests;

/** Record a failure of the running test. */
void hk_test_fail(const char *file, uint32_t line, const char *what);
void hk_test_fail_equal(const char *file, uint32_t line, const char *what, int64_t found, int64_t expected);

#define HK_TEST_CHECK(condition)                                                                                       \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            hk_test_fail(__FILE__, (uint32_t)__LINE__, #condition);                                                    \
            return;                                                                                                    \
        }                                                                                                              \
    } while (false)

#define HK_TEST_EQUAL(found, expected)                                                                                 \
    do {                                                                                                               \
        const int64_t hk_found = (int64_t)(found);                                                                     \
        const int64_t hk_expected = (int64_t)(expected);                                                               \
        if (hk_found != hk_expected) {                                                                                 \
            hk_test_fail_equal(__FILE__, (uint32_t)__LINE__, #found, hk_found, hk_expected);                           \
            return;                                                                                                    \
        }                                                                                                              \
    } while (false)

#endif /* HK_TEST_H */
