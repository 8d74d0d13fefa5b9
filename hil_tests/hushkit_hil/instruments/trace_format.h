/**
 * @file  trace_format.h
 * @brief What the QEMU plugin (lockstep.c) writes, and how to drive it.
 *
 * Start     qemu-system-arm ... -plugin lockstep.so,key=value,...   (hushkit_hil.instruments.plugin builds the .so)
 *
 * Mode "regions": count between two marker instructions; what a kernel bench uses. No plant, no audio page.
 *   begin=ADDR     a region opens when the instruction at ADDR is about to execute (that instruction counts)
 *   end=ADDR       it closes when the instruction at ADDR is about to execute (that instruction does not count)
 *   stop=ADDR      optional: when ADDR is about to execute the trace is written; else at QEMU's exit
 *                  (a guest that calls semihosting SYS_EXIT is fine)
 *   trace=FILE     where the trace goes
 * Region k is the k-th time begin executed. begin and end are the first instructions of two empty, noinline functions:
 *   mark_begin(); kernel(); mark_end();    costs: the begin function's body and the call of end, subtract an empty
 * pair.
 *
 * Mode "lockstep": closed acoustic loop.
 *   sync=ADDR      entry of hk_port_audio_sync; the plant runs when it is about to execute
 *   isr=ADDR       entry of the audio interrupt;   resume=ADDR,resume_end=ADDR   the function that pends it and goes on
 * after foreign=ADDR+ADDR+...,foreign_end=ADDR+...   entries and return instructions of the other handlers: not counted
 *   ram=FILE       backing file of the machine's main RAM (memory-backend-file, share=on);   page=OFFSET   audio page
 * in it plant=FILE     what the plant plays (targets/plant.h);   record=FILE   where it writes what it heard pace=0|1
 * 1: real time trace=FILE     at the end; trace_from=N,trace_count=N   exchanges to count blocks and edges in (0: none)
 *   ready=FILE     created, empty, when everything else is on disk: the end marker
 *
 * Trace file: one JSON object.
 *   {"format": "hushkit-trace", "version": 1, "mode": "regions"|"lockstep", "complete": true,
 *    "blocks": [[address, instructions, bytes], ...],      translation blocks, index = position
 *    "exchanges": {"count": n, "first_traced": k, "traced": m,
 *                  "instructions": {"min": a, "mean": b, "max": c}, "isr": {"min":, "mean":, "max":}},   lockstep only
 *    "profiles": [{"name": "region 0", "executions": 1, "instructions": n,
 *                  "counts": [[block, count], ...], "edges": [[from, to, count], ...]}, ...]}
 * Names of profiles: "region <k>"; in lockstep "isr" and "background" (executions = traced exchanges), "worst isr" and
 * "worst exchange" (executions = 1: the traced exchange with the most instructions; ISR and background together).
 *
 * Numbers   Block counts are exact: a block counts when it starts, and a block that starts completes (no fault in
 *           between). Blocks are QEMU's translation blocks, not basic blocks: they end at a branch, at a page border
 *           (1 KiB steps of the guest) or after 512 instructions, and overlap where code jumps into the middle of one.
 *           For instructions per address, add each block's count to every instruction in [address, address + bytes).
 *           A region that begins or ends inside a block is charged for its own part of that block in "instructions";
 *           "counts" hold whole blocks.
 * Edges     Consecutive blocks within one profile. Where interrupt entry cuts a profile, the edge joins the blocks
 * before and after the interrupt. An edge to neither the fall-through nor the branch target is an exception.
 */
#ifndef HUSHKIT_TRACE_FORMAT_H
#define HUSHKIT_TRACE_FORMAT_H

#define HK_TRACE_FORMAT  "hushkit-trace"
#define HK_TRACE_VERSION 1

#endif /* HUSHKIT_TRACE_FORMAT_H */
