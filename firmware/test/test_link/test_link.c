/**
 * @file  test_link.c
 * @brief SMP framing and server against what a line may bring: whole, cut, corrupt, hostile.
 */
#include "../../src/link/hk_sha256.h"
#include "hk/hk_app.h"
#include "hk/hk_smp.h"
#include "hk_test.h"

#include <string.h> /* memcmp, memcpy, memset */

static hk_smp_receiver_t receiver;
static uint8_t packet[HK_SMP_MAX_PACKET];
static uint8_t response[HK_SMP_MAX_PACKET];
static uint8_t lines[HK_SMP_MAX_LINES];

static uint32_t random_state;

static uint32_t random_number(void) { /* xorshift32, Marsaglia 2003 */
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

static void start(void) {
    memset(&receiver, 0, sizeof receiver);
    random_state = 1U;
}

/* Feeds bytes. @return length of the last packet completed. */
static uint32_t feed(const uint8_t *bytes, uint32_t n) {
    uint32_t n_packet = 0U;
    for (uint32_t i = 0U; i < n; i++) {
        const uint32_t completed = hk_smp_receive(&receiver, bytes[i]);
        n_packet = completed != 0U ? completed : n_packet;
    }
    return n_packet;
}

/* Wraps a CBOR body in a header and handles it. @return length of the response. */
static uint32_t handle(uint8_t op, uint16_t group, uint8_t command, const uint8_t *body, uint32_t n) {
    const uint8_t header[HK_SMP_HEADER] = {
        (uint8_t)(op | 8U), 0U, (uint8_t)(n >> 8), (uint8_t)n, (uint8_t)(group >> 8), (uint8_t)group, 7U, command};
    memcpy(packet, header, sizeof header);
    memcpy(packet + sizeof header, body, n);
    return hk_smp_handle(packet, (uint32_t)sizeof header + n, response);
}

static bool answers(uint32_t n_response, const uint8_t *body, uint32_t n) {
    return n_response == HK_SMP_HEADER + n && memcmp(response + HK_SMP_HEADER, body, n) == 0;
}

static void sha256_of_known_messages(void) {
    /* FIPS 180-4 examples: "abc", and 448 bits, which need a second block for the length. */
    static const uint8_t abc[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                                  0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
                                  0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    static const uint8_t two[] = {0x24, 0x8d, 0x6a, 0x61, 0xd2, 0x06, 0x38, 0xb8, 0xe5, 0xc0, 0x26,
                                  0x93, 0x0c, 0x3e, 0x60, 0x39, 0xa3, 0x3c, 0xe4, 0x59, 0x64, 0xff,
                                  0x21, 0x67, 0xf6, 0xec, 0xed, 0xd4, 0x19, 0xdb, 0x06, 0xc1};
    static const char text[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    uint8_t digest[HK_SHA256_BYTES];

    hk_sha256((const uint8_t *)"abc", 3U, digest);
    HK_TEST_EQUAL(memcmp(digest, abc, sizeof digest), 0);
    hk_sha256((const uint8_t *)text, sizeof text - 1U, digest);
    HK_TEST_EQUAL(memcmp(digest, two, sizeof digest), 0);
}

static void packets_of_every_length_arrive(void) {
    start();
    for (uint32_t n = HK_SMP_HEADER; n <= HK_SMP_MAX_PACKET; n++) {
        for (uint32_t i = 0U; i < n; i++) {
            packet[i] = (uint8_t)random_number();
        }
        const uint32_t n_lines = hk_smp_frame(packet, n, lines);
        HK_TEST_CHECK(n_lines <= HK_SMP_MAX_LINES);
        HK_TEST_EQUAL(feed(lines, n_lines), n);
        HK_TEST_EQUAL(memcmp(receiver.raw + 2U, packet, n), 0);
    }
    HK_TEST_EQUAL(receiver.errors, 0);
}

static void no_line_is_longer_than_127_bytes(void) {
    start();
    const uint32_t n = hk_smp_frame(packet, HK_SMP_MAX_PACKET, lines);
    uint32_t length = 0U;
    for (uint32_t i = 0U; i < n; i++) {
        length++;
        HK_TEST_CHECK(length <= HK_WIRE_SMP_LINE_LENGTH);
        length = lines[i] == '\n' ? 0U : length;
    }
    HK_TEST_EQUAL(length, 0);
}

static void one_wrong_character_drops_the_packet(void) {
    start();
    memset(packet, 0x5A, 300U);
    const uint32_t n = hk_smp_frame(packet, 300U, lines);
    for (uint32_t i = 0U; i < n; i++) {
        const uint8_t right = lines[i];
        lines[i] = (uint8_t)(right == 'A' ? 'B' : 'A');
        HK_TEST_EQUAL(feed(lines, n), 0);
        lines[i] = right;
        HK_TEST_EQUAL(feed(lines, n), 300); /* and the next one arrives */
    }
    HK_TEST_CHECK(receiver.errors > 0U);
}

static void a_packet_cut_short_does_not_harm_the_next(void) {
    start();
    memset(packet, 0x11, 200U);
    const uint32_t n = hk_smp_frame(packet, 200U, lines);
    for (uint32_t cut = 0U; cut < n; cut++) {
        (void)feed(lines, cut);
        HK_TEST_EQUAL(feed(lines, n), 200);
    }
}

static void noise_never_becomes_a_packet(void) {
    start();
    for (uint32_t i = 0U; i < 200000U; i++) {
        const uint32_t r = random_number();
        /* Half the bytes are ones that the receiver acts on. */
        const uint8_t byte = (r & 1U) != 0U ? (uint8_t)"\x06\x09\x04\x14\nA="[(r >> 8) % 7U] : (uint8_t)(r >> 8);
        HK_TEST_EQUAL(hk_smp_receive(&receiver, byte), 0);
    }
    HK_TEST_CHECK(receiver.errors > 100U);
}

static void echo_answers_its_text(void) {
    static const uint8_t request[] = {0xA1, 0x61, 'd', 0x62, 'h', 'i'};
    static const uint8_t expected[] = {0xBF, 0x61, 'r', 0x62, 'h', 'i', 0xFF};
    const uint32_t n = handle(2U, 0U, 0U, request, sizeof request);
    HK_TEST_CHECK(answers(n, expected, sizeof expected));
    HK_TEST_EQUAL(response[0] & 7U, 3);
    HK_TEST_EQUAL(response[6], 7);
}

static void what_is_not_there_is_refused(void) {
    static const uint8_t empty[] = {0xA0};
    static const uint8_t not_supported[] = {0xBF, 0x62, 'r', 'c', 8, 0xFF};
    HK_TEST_CHECK(answers(handle(0U, 99U, 0U, empty, 1U), not_supported, sizeof not_supported));
    HK_TEST_CHECK(answers(handle(2U, 1U, 1U, empty, 1U), not_supported, sizeof not_supported));
    HK_TEST_CHECK(answers(handle(0U, 64U, 9U, empty, 1U), not_supported, sizeof not_supported));
}

static void bodies_that_are_no_plain_map_are_refused(void) {
    static const uint8_t invalid[] = {0xBF, 0x62, 'r', 'c', 3, 0xFF};
    static const uint8_t list[] = {0x80};
    static const uint8_t cut[] = {0xA1, 0x61};
    static const uint8_t long_text[] = {0xA1, 0x61, 'd', 0x7A, 0xFF, 0xFF, 0xFF, 0xFF};
    static const uint8_t trailing[] = {0xA0, 0x00};
    static const uint8_t unclosed[] = {0xBF, 0x61, 'd', 0x00};
    HK_TEST_CHECK(answers(handle(2U, 0U, 0U, list, sizeof list), invalid, sizeof invalid));
    HK_TEST_CHECK(answers(handle(2U, 0U, 0U, cut, sizeof cut), invalid, sizeof invalid));
    HK_TEST_CHECK(answers(handle(2U, 0U, 0U, long_text, sizeof long_text), invalid, sizeof invalid));
    HK_TEST_CHECK(answers(handle(2U, 0U, 0U, trailing, sizeof trailing), invalid, sizeof invalid));
    HK_TEST_CHECK(answers(handle(2U, 0U, 0U, unclosed, sizeof unclosed), invalid, sizeof invalid));
}

static void deep_nesting_does_not_reach_the_stack(void) {
    static const uint8_t invalid[] = {0xBF, 0x62, 'r', 'c', 3, 0xFF};
    static uint8_t body[HK_SMP_MAX_PACKET - HK_SMP_HEADER];
    memset(body, 0x81, sizeof body); /* lists in lists */
    body[0] = 0xA1;
    body[1] = 0x60;
    body[sizeof body - 1U] = 0x00;
    HK_TEST_CHECK(answers(handle(2U, 0U, 0U, body, sizeof body), invalid, sizeof invalid));
}

static void random_bodies_do_no_harm(void) {
    static uint8_t body[64];
    hk_configuration_t before;
    hk_configuration_t after;
    start();
    HK_TEST_EQUAL(hk_app_init(), HK_OK);
    hk_app_configuration(&before);
    for (uint32_t i = 0U; i < 20000U; i++) {
        const uint32_t n = random_number() % sizeof body;
        for (uint32_t k = 0U; k < n; k++) {
            body[k] = (uint8_t)random_number();
        }
        body[0] = 0xA1; /* mostly get past the first check */
        const uint16_t group = (uint16_t)((random_number() & 1U) != 0U ? 64U : 0U);
        const uint32_t length =
            handle((uint8_t)(random_number() & 2U), group, (uint8_t)(random_number() % 3U), body, n);
        HK_TEST_CHECK(length >= HK_SMP_HEADER && length <= HK_SMP_MAX_PACKET);
    }
    hk_app_configuration(&after);
    HK_TEST_EQUAL(after.mode, before.mode);
    HK_TEST_EQUAL(after.intensity, before.intensity);
}

static void a_bad_configuration_changes_nothing(void) {
    /* {"mode": 2, "intensity": 7000}: the mode is good, the intensity is not */
    static const uint8_t request[] = {0xA2, 0x64, 'm', 'o', 'd', 'e', 0x02, 0x69, 'i',  'n',
                                      't',  'e',  'n', 's', 'i', 't', 'y',  0x19, 0x1B, 0x58};
    static const uint8_t range[] = {0xBF, 0x63, 'e',  'r', 'r',  0xBF, 0x65, 'g', 'r',  'o',
                                    'u',  'p',  0x18, 64,  0x62, 'r',  'c',  3,   0xFF, 0xFF};
    hk_configuration_t before;
    hk_configuration_t after;
    HK_TEST_EQUAL(hk_app_init(), HK_OK);
    hk_app_configuration(&before);
    HK_TEST_CHECK(answers(handle(2U, 64U, 0U, request, sizeof request), range, sizeof range));
    hk_app_configuration(&after);
    HK_TEST_EQUAL(after.mode, before.mode);
    HK_TEST_EQUAL(after.intensity, before.intensity);
}

const hk_test_t hk_tests[] = {
    HK_TEST(sha256_of_known_messages),
    HK_TEST(packets_of_every_length_arrive),
    HK_TEST(no_line_is_longer_than_127_bytes),
    HK_TEST(one_wrong_character_drops_the_packet),
    HK_TEST(a_packet_cut_short_does_not_harm_the_next),
    HK_TEST(noise_never_becomes_a_packet),
    HK_TEST(echo_answers_its_text),
    HK_TEST(what_is_not_there_is_refused),
    HK_TEST(bodies_that_are_no_plain_map_are_refused),
    HK_TEST(deep_nesting_does_not_reach_the_stack),
    HK_TEST(random_bodies_do_no_harm),
    HK_TEST(a_bad_configuration_changes_nothing),
};
const uint32_t hk_n_tests = sizeof hk_tests / sizeof hk_tests[0];
