/*
 * A bank holds a mark, then the file. The mark is written last, so a bank without a whole mark holds nothing; the bank
 * with the larger sequence is the newer one.
 */
#include "hk/hk_net_slot.h"

#include "hk/hk_crc32.h"
#include "hk/hk_port.h" /* hk_port_bank_... */
#include "hk_net_signature.h"
#include <stddef.h> /* NULL, size_t */
#include <string.h> /* memcmp, memcpy */

#define MARK_MAGIC 0x4B424E48UL /* "HNBK" */
#define FILE_AT    32U          /* the mark's room: one unit of the widest flash we know */
#define WORD       4U           /* bytes of a write */

typedef struct {
    uint32_t magic;
    uint32_t sequence;
    uint32_t n_bytes;
    uint32_t crc32; /* of the words before it */
} mark_t;

static uint32_t mark_check(const mark_t *mark) {
    return hk_crc32((const uint8_t *)mark, offsetof(mark_t, crc32));
}

/* The mark of a bank, or false where there is no whole one. */
static bool read_mark(uint32_t bank, mark_t *mark) {
    const uint32_t room = hk_port_bank_bytes();
    if (room < FILE_AT) {
        return false;
    }
    memcpy(mark, hk_port_bank(bank), sizeof *mark);
    return mark->magic == MARK_MAGIC && mark->crc32 == mark_check(mark) && mark->n_bytes <= room - FILE_AT &&
           mark->sequence != 0U;
}

/* Every check of a file. */
static hk_status_t check(const hk_net_needs_t *needs, const uint8_t *file, uint32_t n_bytes, hk_net_t *net) {
    if (n_bytes <= HK_NET_SIGNATURE_BYTES) {
        return HK_ERR_LENGTH;
    }
    const uint32_t n_blob = n_bytes - HK_NET_SIGNATURE_BYTES;
    hk_net_t found = {0};
    const hk_status_t status = hk_net_load(&found, file, n_blob);
    if (status != HK_OK) {
        return status;
    }
    if (!hk_net_signature_ok(file, n_blob, file + n_blob, needs->key)) {
        return HK_ERR_DENIED;
    }
    if ((needs->input_bytes != 0U && found.input_bytes != needs->input_bytes) ||
        (needs->output_bytes != 0U && found.output_bytes != needs->output_bytes)) {
        return HK_ERR_ABI;
    }
    if (found.arena_bytes > needs->arena_bytes) {
        return HK_ERR_SPACE;
    }
    *net = found;
    return HK_OK;
}

static hk_net_slot_t no_slot(void) {
    return (hk_net_slot_t){.bank = HK_NET_NO_BANK};
}

/* The network of a bank; where it is refused, none, and why. */
static hk_net_slot_t slot_of_bank(hk_net_slots_t *slots, uint32_t bank) {
    mark_t mark;
    hk_net_slot_t slot = no_slot();
    if (!read_mark(bank, &mark)) {
        return slot;
    }
    const hk_status_t status = check(&slots->needs, hk_port_bank(bank) + FILE_AT, mark.n_bytes, &slot.net);
    if (status != HK_OK) {
        slots->refused = status;
        return slot;
    }
    slot.sequence = mark.sequence;
    slot.bank = (uint8_t)bank;
    return slot;
}

/* Takes its place among active and previous. */
static void enter(hk_net_slots_t *slots, hk_net_slot_t slot) {
    if (slot.net.blob == NULL) {
        return;
    }
    if (slots->active.net.blob == NULL || slot.sequence > slots->active.sequence) {
        slots->previous = slots->active;
        slots->active = slot;
    } else if (slots->previous.net.blob == NULL || slot.sequence > slots->previous.sequence) {
        slots->previous = slot;
    }
}

hk_status_t hk_net_slots_init(hk_net_slots_t *slots, const hk_net_needs_t *needs) {
    if (slots == NULL || needs == NULL || needs->key == NULL) {
        return HK_ERR_ARG;
    }
    *slots = (hk_net_slots_t){.needs = *needs, .active = no_slot(), .previous = no_slot(), .waiting = no_slot()};
    hk_net_slot_t linked = no_slot();
    const hk_status_t status =
        needs->file == NULL ? HK_ERR_STATE : check(needs, needs->file, needs->file_bytes, &linked.net);
    enter(slots, linked);
    for (uint32_t bank = 0; bank < HK_PORT_BANKS; bank++) {
        enter(slots, slot_of_bank(slots, bank));
    }
    return slots->active.net.blob != NULL ? HK_OK : status;
}

const hk_net_t *hk_net_slots_active(const hk_net_slots_t *slots) {
    return slots->active.net.blob != NULL ? &slots->active.net : NULL;
}

const hk_net_t *hk_net_slots_previous(const hk_net_slots_t *slots) {
    return slots->previous.net.blob != NULL ? &slots->previous.net : NULL;
}

bool hk_net_slots_adopt(hk_net_slots_t *slots) {
    if (slots->waiting.net.blob == NULL) {
        return false;
    }
    slots->previous = slots->active;
    slots->active = slots->waiting;
    slots->waiting = no_slot();
    return true;
}

static uint32_t most_bytes(void) {
    const uint32_t room = hk_port_bank_bytes();
    return room > FILE_AT ? room - FILE_AT : 0U;
}

hk_net_slots_status_t hk_net_slots_status(const hk_net_slots_t *slots) {
    return (hk_net_slots_status_t){
        .model = slots->active.net.model,
        .sequence = slots->active.sequence,
        .previous_model = slots->previous.net.model,
        .waiting_model = slots->waiting.net.model,
        .expected = slots->expected,
        .received = slots->received,
        .most_bytes = most_bytes(),
        .refused = slots->refused,
    };
}

/* Give the upload up and say why. */
static hk_status_t refuse(hk_net_slots_t *slots, hk_status_t why) {
    slots->expected = 0U;
    slots->received = 0U;
    slots->refused = why;
    return why;
}

hk_status_t hk_net_upload_begin(hk_net_slots_t *slots, uint32_t n_bytes) {
    if (slots->waiting.net.blob != NULL) {
        return HK_ERR_STATE;
    }
    if (n_bytes <= HK_NET_SIGNATURE_BYTES) {
        return HK_ERR_LENGTH;
    }
    if (n_bytes > most_bytes()) {
        return HK_ERR_SPACE;
    }
    slots->bank = slots->active.bank == 0U ? 1U : 0U;
    if (slots->previous.bank == slots->bank) {
        slots->previous = no_slot();
    }
    slots->expected = n_bytes;
    slots->received = 0U;
    return hk_port_bank_erase(slots->bank) ? HK_OK : refuse(slots, HK_ERR_CORRUPT);
}

/* Whole words go to the bank; up to three bytes wait in tail for the next call, or for the end. */
static bool store(hk_net_slots_t *slots, const uint8_t *data, uint32_t n) {
    while (n != 0U) {
        const uint32_t held = slots->received % WORD;
        const uint32_t at = FILE_AT + slots->received - held;
        uint32_t taken = 0U;
        bool ok = true;
        if (held == 0U && n >= WORD) {
            taken = n - n % WORD;
            ok = hk_port_bank_write(slots->bank, at, data, taken);
        } else {
            taken = n < WORD - held ? n : WORD - held;
            memcpy(slots->tail + held, data, taken);
            const bool is_last = slots->received + taken == slots->expected;
            memset(slots->tail + held + taken, 0xFF, WORD - held - taken);
            if (held + taken == WORD || is_last) {
                ok = hk_port_bank_write(slots->bank, at, slots->tail, WORD);
            }
        }
        if (!ok) {
            return false;
        }
        slots->received += taken;
        data += taken;
        n -= taken;
    }
    return true;
}

hk_status_t hk_net_upload_write(hk_net_slots_t *slots, uint32_t offset, const uint8_t *data, uint32_t n) {
    if (slots->expected == 0U) {
        return HK_ERR_STATE;
    }
    if (offset > slots->received || offset > slots->expected || n > slots->expected - offset) {
        return HK_ERR_RANGE;
    }
    const uint32_t known = slots->received - offset;
    if (n <= known) {
        return HK_OK;
    }
    return store(slots, data + known, n - known) ? HK_OK : refuse(slots, HK_ERR_CORRUPT);
}

/* Beyond the other bank's too, even where that one's network is refused. */
static uint32_t next_sequence(const hk_net_slots_t *slots) {
    mark_t other;
    const bool has_other = read_mark(1U - slots->bank, &other);
    const uint32_t newest =
        has_other && other.sequence > slots->active.sequence ? other.sequence : slots->active.sequence;
    return newest + 1U;
}

hk_status_t hk_net_upload_finish(hk_net_slots_t *slots) {
    if (slots->expected == 0U) {
        return HK_ERR_STATE;
    }
    if (slots->received != slots->expected) {
        return refuse(slots, HK_ERR_LENGTH);
    }
    hk_net_slot_t slot = {.bank = slots->bank, .sequence = next_sequence(slots)};
    const hk_status_t status = check(&slots->needs, hk_port_bank(slots->bank) + FILE_AT, slots->expected, &slot.net);
    if (status != HK_OK) {
        return refuse(slots, status);
    }
    mark_t mark = {.magic = MARK_MAGIC, .sequence = slot.sequence, .n_bytes = slots->expected};
    mark.crc32 = mark_check(&mark);
    mark_t written;
    if (!hk_port_bank_write(slots->bank, 0U, (const uint8_t *)&mark, sizeof mark) ||
        !read_mark(slots->bank, &written)) {
        return refuse(slots, HK_ERR_CORRUPT);
    }
    slots->waiting = slot;
    slots->expected = 0U;
    slots->received = 0U;
    slots->refused = HK_OK;
    return HK_OK;
}
