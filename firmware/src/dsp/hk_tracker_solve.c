/**
 * @file  hk_tracker_solve.c
 * @brief Both paths, then the weights.
 */
#include "hk_tracker_solve.h"

#if HK_CONFIG_ALGORITHM == HK_ALGORITHM_WARPED_LS_TRACKING

#include "hk/hk_kernels.h" /* hk_kernel_correlate_run */
#include <stdbool.h>       /* bool */
#include <string.h>        /* memcpy, memset */

#define K ((uint32_t)HK_TRACKER_K)
#define S ((uint32_t)HK_TRACKER_S)
#define N ((uint32_t)HK_TRACKER_N)
#define M ((uint32_t)HK_TRACKER_M)

/* Work of a slice is counted in products of the generated kernels. */
#define OVERHEAD     64U                                  /* of one row or column */
#define DEAR         4U                                   /* of a product in plain C, or of a value moved */
#define PRODUCT_WORK (K * S + DEAR * (3U * N) + OVERHEAD) /* of one row of G */

#define FLOOR_RIDGE 1.0F /* of a chain's LSB^2: keeps a covariance of nothing solvable */
#define LARGEST     1e6F /* of a coefficient: beyond, the solution is no filter */

/* G is column-major, so that both products with T(s) are correlations of neighbours with s. */
#define G_LENGTH       (N * K)
#define G(solver)      ((solver)->a)
#define NORMAL(solver) (&(solver)->a[G_LENGTH])

_Static_assert(HK_CONFIG_WARPED_TAPS % 8 == 0 && HK_CONFIG_WARPED_SECONDARY_TAPS % 4 == 0,
               "correlations take eight outputs and four terms at a time");

static uint32_t normal_work(uint32_t k) {
    return (K - (k & ~7U)) * S + DEAR * (S + K - k) + OVERHEAD;
}

uint32_t hk_tracker_solve_work(void) {
    uint32_t work = hk_ldl_work(M) + N * PRODUCT_WORK + hk_ldl_work(K);
    for (uint32_t k = 0U; k < K; k++) {
        work += normal_work(k);
    }
    return work;
}

void hk_tracker_solve_copy(hk_tracker_solver_t *solver, const float *covariance, const float *right, uint32_t first,
                           uint32_t end) {
    for (uint32_t i = first; i < end; i++) {
        const uint32_t at = hk_ldl_row(i);
        const size_t bytes = 4U * (i / 4U + 1U) * sizeof(float);
        memcpy(&solver->a[at], &covariance[at], bytes);
        if (i < N) {
            memcpy(&solver->xx[at], &covariance[at], bytes);
        }
        solver->x[i] = right[i];
    }
}

static float mean_diagonal(const float *matrix, uint32_t first, uint32_t end) {
    float trace = 0.0F;
    for (uint32_t i = first; i < end; i++) {
        trace += matrix[hk_ldl_row(i) + i];
    }
    return trace / (float)(end - first);
}

static void begin_ldl(hk_tracker_solver_t *solver, float *matrix, uint32_t n) {
    solver->ldl = (hk_ldl_t){.n = n,
                             .budget = solver->budget,
                             .a = matrix,
                             .x = solver->x,
                             .row_work = solver->row_work,
                             .pivot = solver->pivot};
    hk_ldl_start(&solver->ldl);
}

void hk_tracker_solve_start(hk_tracker_solver_t *solver, const hk_tracker_ridges_t *ridges, const float *s,
                            uint32_t slices) {
    solver->ridges = *ridges;
    solver->budget = hk_tracker_solve_work() / slices + 1U;
    solver->ridge = ridges->paths * mean_diagonal(solver->a, 0U, N) + FLOOR_RIDGE;
    const float hold = ridges->hold * mean_diagonal(solver->a, N, M) + FLOOR_RIDGE;
    for (uint32_t i = 0U; i < N; i++) {
        solver->a[hk_ldl_row(i) + i] += solver->ridge;
        solver->xx[hk_ldl_row(i) + i] += solver->ridge;
    }
    for (uint32_t i = 0U; i < S; i++) {
        solver->a[hk_ldl_row(N + i) + N + i] += hold;
        solver->x[N + i] += hold * s[i];
    }
    begin_ldl(solver, solver->a, M);
    solver->stage = HK_TRACKER_PATHS;
}

static bool reasonable(const float *x, uint32_t n) {
    bool all = true;
    for (uint32_t i = 0U; i < n; i++) {
        all = all && x[i] > -LARGEST && x[i] < LARGEST; /* false for what is no number */
    }
    return all;
}

static void take_paths(hk_tracker_solver_t *solver) {
    if (solver->ldl.state == HK_LDL_REFUSED || !reasonable(solver->x, M)) {
        solver->stage = HK_TRACKER_REFUSED;
        return;
    }
    memcpy(solver->p, solver->x, sizeof solver->p);
    memcpy(solver->s, &solver->x[N], sizeof solver->s);
    solver->stage = HK_TRACKER_PRODUCT;
    solver->row = 0U;
}

/* Row i of the symmetric C_xx, from its lower triangle. */
static void gather(const hk_tracker_solver_t *solver, uint32_t i, float *row) {
    memcpy(row, &solver->xx[hk_ldl_row(i)], (i + 1U) * sizeof row[0]);
    for (uint32_t j = i + 1U; j < N; j++) {
        row[j] = solver->xx[hk_ldl_row(j) + i];
    }
}

/* Row i of v, and of G = C_xx T(s): G[i][k] = sum_j s[j] C_xx[i][k + j]. @return products it took. */
static uint32_t product(hk_tracker_solver_t *solver) {
    const uint32_t i = solver->row;
    float row[N];
    float out[K];
    gather(solver, i, row);
    float sum = 0.0F;
    for (uint32_t j = 0U; j < N; j++) {
        sum += row[j] * solver->p[j];
    }
    solver->v[i] = sum;
    hk_kernel_correlate_run(row, solver->s, out, K);
    for (uint32_t k = 0U; k < K; k++) {
        G(solver)[k * N + i] = out[k];
    }
    solver->row++;
    if (solver->row == N) {
        solver->stage = HK_TRACKER_NORMAL;
        solver->row = 0U;
    }
    return PRODUCT_WORK;
}

static void begin_weights(hk_tracker_solver_t *solver) {
    const hk_tracker_ridges_t *ridges = &solver->ridges;
    const float mean = mean_diagonal(NORMAL(solver), 0U, K);
    const float ridge = (ridges->paths + ridges->weights) * mean + FLOOR_RIDGE;
    for (uint32_t i = 0U; i < K; i++) {
        NORMAL(solver)[hk_ldl_row(i) + i] += ridge;
        solver->x[i] += (ridges->toward == 0) ? 0.0F : ridges->weights * mean * ridges->toward[i];
    }
    begin_ldl(solver, NORMAL(solver), K);
    solver->stage = HK_TRACKER_WEIGHTS;
}

/* Column k of T(s)^T G from its diagonal down, and of the right side. @return products it took. */
static uint32_t normal(hk_tracker_solver_t *solver) {
    const uint32_t k = solver->row;
    const uint32_t from = k & ~7U;
    float out[K];
    hk_kernel_correlate_run(&G(solver)[k * N + from], solver->s, &out[from], K - from);
    for (uint32_t i = k; i < K; i++) {
        NORMAL(solver)[hk_ldl_row(i) + k] = out[i];
    }
    float sum = 0.0F;
    for (uint32_t j = 0U; j < S; j++) {
        sum -= solver->s[j] * solver->v[k + j];
    }
    solver->x[k] = sum;
    solver->row++;
    if (solver->row == K) {
        begin_weights(solver);
    }
    return normal_work(k);
}

static void finish(hk_tracker_solver_t *solver) {
    const bool good = solver->ldl.state == HK_LDL_DONE && reasonable(solver->x, K);
    solver->stage = good ? HK_TRACKER_DONE : HK_TRACKER_REFUSED;
}

static bool factored(hk_tracker_solver_t *solver) {
    hk_ldl_step(&solver->ldl);
    return solver->ldl.state == HK_LDL_DONE || solver->ldl.state == HK_LDL_REFUSED;
}

void hk_tracker_solve_step(hk_tracker_solver_t *solver) {
    if (solver->stage == HK_TRACKER_PATHS) {
        if (factored(solver)) {
            take_paths(solver);
        }
        return;
    }
    if (solver->stage == HK_TRACKER_WEIGHTS) {
        if (factored(solver)) {
            finish(solver);
        }
        return;
    }
    uint32_t work = 0U;
    while (solver->stage == HK_TRACKER_PRODUCT && work < solver->budget) {
        work += product(solver);
    }
    while (solver->stage == HK_TRACKER_NORMAL && work < solver->budget) {
        work += normal(solver);
    }
}

#endif /* HK_CONFIG_ALGORITHM */
