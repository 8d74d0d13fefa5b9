/**
 * @file  hk_smp_groups.h
 * @brief What the files of the SMP server share: CBOR access and the groups' handlers.
 */
#ifndef HK_SMP_GROUPS_H
#define HK_SMP_GROUPS_H

#include "hk/hk_smp.h" /* hk_smp_result_t */

#include <stdbool.h>      /* bool */
#include <stdint.h>       /* uint8_t, uint32_t */
#include <zcbor_common.h> /* zcbor_state_t */

/** Operations of the SMP header; a response is its request's plus one. */
enum { HK_SMP_READ = 0, HK_SMP_WRITE = 2 };

/** One request, and the map its response is written into (opened and closed by the caller). */
typedef struct {
    uint8_t op;
    uint8_t command;
    const uint8_t *body; /* one well-formed CBOR map of plain values, checked */
    uint32_t n_body;
    zcbor_state_t *out;
} hk_smp_request_t;

/** Group 64. */
hk_smp_result_t hk_smp_headset(const hk_smp_request_t *request);

/** Its commands about the classifier: classifier, network, features. */
hk_smp_result_t hk_smp_classifier(const hk_smp_request_t *request);

/** Whether bytes are exactly one CBOR map, of definite or indefinite length, nested at most HK_SMP_DEPTH deep.
 *  zcbor skips values recursively, so nothing deeper may reach it. */
#define HK_SMP_DEPTH 4U
bool hk_smp_is_map(const uint8_t *bytes, uint32_t n);

/** What a key is to be decoded as. */
typedef enum { HK_SMP_UINT, HK_SMP_TEXT, HK_SMP_BYTES } hk_smp_type_t;

/** A key that a request may have. */
typedef struct {
    const char *key;
    hk_smp_type_t type;
    bool present;     /* out */
    uint32_t number;  /* out: HK_SMP_UINT */
    const char *text; /* out: HK_SMP_TEXT, not terminated; HK_SMP_BYTES */
    uint32_t n_text;  /* out */
} hk_smp_field_t;

/** Why fields could not be read. */
typedef enum { HK_SMP_READ_OK, HK_SMP_READ_MALFORMED, HK_SMP_READ_UNKNOWN_KEY, HK_SMP_READ_RANGE } hk_smp_read_t;

/** The group's code for a request that could not be read. */
uint8_t hk_smp_error_of(hk_smp_read_t read);

/** Read the request's map into fields. A key that none of them names is an error where `strict`, else skipped. */
hk_smp_read_t hk_smp_read_fields(const hk_smp_request_t *request, hk_smp_field_t *fields, uint32_t n_fields,
                                 bool strict);

/** Write one pair of the response's map. @return whether it fitted. */
bool hk_smp_put_uint(zcbor_state_t *out, const char *key, uint32_t value);
bool hk_smp_put_bool(zcbor_state_t *out, const char *key, bool value);
bool hk_smp_put_text(zcbor_state_t *out, const char *key, const char *text, uint32_t n);
bool hk_smp_put_bytes(zcbor_state_t *out, const char *key, const uint8_t *bytes, uint32_t n);

#endif /* HK_SMP_GROUPS_H */
