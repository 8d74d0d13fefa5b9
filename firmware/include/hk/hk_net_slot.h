/**
 * @file  hk_net_slot.h
 * @brief Which network runs: the one linked in, or a downloaded one from one of the port's two banks.
 *
 * File      What `hushkit network compile` writes: a blob (hk_net.h) and behind it HK_NET_SIGNATURE_BYTES, an Ed25519
 *           signature (RFC 8032) of the blob. The linked-in network is such a file too.
 * Upload    Goes to the bank that holds no running network, and is checked as a whole: length, magic, version, core,
 *           CRC, signature, every operator, and what the application needs. Only then is the bank's mark written, in
 *           one piece behind everything else: until that has happened a restart, a power cut or a bad file leaves what
 *           was there before.
 * Switch    A finished upload waits until the application adopts it between two inferences.
 * Context   Background, all from one context. Checking a signature takes some 10^7 cycles: in hk_net_slots_init() and
 *           in hk_net_upload_finish(), which the audio interrupt preempts.
 */
#ifndef HK_NET_SLOT_H
#define HK_NET_SLOT_H

#include "hk/hk_net.h"    /* hk_net_t */
#include "hk/hk_status.h" /* hk_status_t, HK_MUST_CHECK */
#include <stdbool.h>      /* bool */
#include <stdint.h>       /* uint8_t, uint32_t */

#define HK_NET_SIGNATURE_BYTES 64U
#define HK_NET_KEY_BYTES       32U
#define HK_NET_NO_BANK         0xFFU

/** Public half of the development key, whose private half everybody has: for the desk, never for a product. */
extern const uint8_t hk_net_development_key[HK_NET_KEY_BYTES];

/** What every network must fit. */
typedef struct {
    const uint8_t *file; /* the linked-in network, signed; null: none */
    uint32_t file_bytes;
    const uint8_t *key;    /* HK_NET_KEY_BYTES, public */
    uint32_t input_bytes;  /* exactly; 0: any */
    uint32_t output_bytes; /* exactly; 0: any */
    uint32_t arena_bytes;  /* at most */
} hk_net_needs_t;

/** One resident network. */
typedef struct {
    hk_net_t net;      /* net.blob is null where there is none */
    uint32_t sequence; /* grows with every upload; 0: linked in */
    uint8_t bank;      /* HK_NET_NO_BANK: linked in */
} hk_net_slot_t;

/** All of it. Read what hk_net_slots_status() gives; the rest is this module's own. */
typedef struct {
    hk_net_needs_t needs;
    hk_net_slot_t active;   /* runs */
    hk_net_slot_t previous; /* what would run without it, for a comparison of two; none during an upload */
    hk_net_slot_t waiting;  /* uploaded, not adopted */
    uint32_t expected;      /* bytes of the upload under way; 0: none */
    uint32_t received;
    uint8_t bank; /* where it goes */
    uint8_t tail[4];
    hk_status_t refused; /* why the last upload, or a bank's network at start, was refused; HK_OK: nothing was */
} hk_net_slots_t;

/** For management and telemetry. */
typedef struct {
    uint32_t model;    /* of the active network, see hk_net_t; 0: none */
    uint32_t sequence; /* 0: linked in */
    uint32_t previous_model;
    uint32_t waiting_model;
    uint32_t expected; /* of the upload under way, in bytes */
    uint32_t received;
    uint32_t most_bytes; /* that an upload may have */
    hk_status_t refused;
} hk_net_slots_status_t;

/**
 * Choose the newest network that passes every check: from a bank, else the one linked in.
 * @return HK_OK, or what is wrong with the linked-in network where no other is there either; then none is active.
 */
HK_MUST_CHECK hk_status_t hk_net_slots_init(hk_net_slots_t *slots, const hk_net_needs_t *needs);

/** What runs; null where nothing does. Valid until the next hk_net_slots_adopt(). */
const hk_net_t *hk_net_slots_active(const hk_net_slots_t *slots);

/** The other resident network, for a comparison of two; null where there is none. An upload's begin takes it away. */
const hk_net_t *hk_net_slots_previous(const hk_net_slots_t *slots);

/** Between two inferences: let a finished upload run from now on. @return Whether there was one. */
bool hk_net_slots_adopt(hk_net_slots_t *slots);

hk_net_slots_status_t hk_net_slots_status(const hk_net_slots_t *slots);

/**
 * Start an upload of n_bytes, which are a whole file; one that was under way is given up. Erases a bank.
 * @return HK_OK, HK_ERR_STATE (the last upload waits to be adopted), HK_ERR_LENGTH (too short for a file),
 * HK_ERR_SPACE (larger than a bank, or no banks) or HK_ERR_CORRUPT (the bank cannot be erased).
 */
HK_MUST_CHECK hk_status_t hk_net_upload_begin(hk_net_slots_t *slots, uint32_t n_bytes);

/**
 * Take the next n bytes; offset is how many came before, and bytes that came already are passed over.
 * @return HK_OK, HK_ERR_STATE (nothing under way), HK_ERR_RANGE (a gap, or past the end) or HK_ERR_CORRUPT (the bank
 * does not hold what was written).
 */
HK_MUST_CHECK hk_status_t hk_net_upload_write(hk_net_slots_t *slots, uint32_t offset, const uint8_t *data, uint32_t n);

/**
 * Check everything and let it wait to be adopted. What is refused is forgotten, and nothing else changes.
 * @return HK_OK, HK_ERR_STATE (nothing under way), HK_ERR_LENGTH (bytes are missing), hk_net_load()'s refusals,
 * HK_ERR_DENIED (signature), HK_ERR_ABI (also other sizes of input or output) or HK_ERR_SPACE (a larger arena).
 */
HK_MUST_CHECK hk_status_t hk_net_upload_finish(hk_net_slots_t *slots);

#endif /* HK_NET_SLOT_H */
