#!/usr/bin/env python3
"""Writes statistics.json: what SciPy, statsmodels and scikit-learn make of random numbers.

Run:  python3 tests/golden/make_statistics.py     (versions in README.md)

Inputs are drawn here and stored beside the outputs, so that a test needs nothing but the file.
"""

import json
from pathlib import Path

import numpy as np
import scipy
import scipy.optimize
import scipy.stats
import sklearn
import sklearn.metrics
import statsmodels
import statsmodels.api as sm
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

RNG = np.random.default_rng(20220406)
BINS = 15
MARGIN = 1e-7


def wilson():
    for successes, trials in [(0, 1), (1, 1), (0, 300), (7, 20), (250, 500), (1502, 1503), (499_000, 1_000_000)]:
        low, high = proportion_confint(successes, trials, 0.05, "wilson")
        yield {"successes": successes, "trials": trials, "low": low, "high": high}


def mcnemar_exact():
    for first, second in [(0, 1), (2, 9), (9, 2), (14, 14), (31, 60), (400, 470), (5000, 5200)]:
        p = mcnemar([[10, first], [second, 10]], exact=True).pvalue
        yield {"first_only": first, "second_only": second, "p": float(min(p, 1.0))}


def holm():
    for count in (1, 3, 8):
        p = RNG.beta(0.3, 2.0, count)
        yield {"p": p.tolist(), "adjusted": multipletests(p, method="holm")[1].tolist()}
    p = np.array([0.02, 0.02, 0.5, 0.001])
    yield {"p": p.tolist(), "adjusted": multipletests(p, method="holm")[1].tolist()}


def sign_flip():
    """All 2^n flips, so that the p value is exact."""
    for n in (3, 8, 12):
        d = RNG.normal(0.35, 0.5, n)
        result = scipy.stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=np.inf)
        yield {"differences": d.tolist(), "p": float(result.pvalue)}


def quantiles():
    for share in (0.6, 0.8, 0.9, 0.975, 0.9999):
        yield {"share": share, "freedom": None, "quantile": float(scipy.stats.norm.ppf(share))}
        for freedom in (1, 2, 3, 4, 30, 252, 5000):
            yield {"share": share, "freedom": freedom, "quantile": float(scipy.stats.t.ppf(share, freedom))}


def clusters():
    """The mean with a standard error by cluster, as an intercept-only regression has it."""
    for count, size in ((5, 3), (60, 2), (40, 5)):
        names = RNG.integers(0, count, count * size)
        names = np.unique(names, return_inverse=True)[1]
        y = RNG.normal(0, 1, names.max() + 1)[names] + RNG.normal(0, 1, len(names))
        # Clusters alone: without the factor (N - 1)/(N - k) that statsmodels adds by itself.
        fitted = sm.OLS(y, np.ones(len(y))).fit(
            cov_type="cluster", cov_kwds={"groups": names, "use_correction": False}, use_t=True
        )
        c = names.max() + 1
        error = float(fitted.bse[0] * np.sqrt(c / (c - 1)))
        half = float(scipy.stats.t.ppf(0.975, c - 1)) * error
        mean = float(fitted.params[0])
        yield {
            "values": y.tolist(),
            "clusters": names.tolist(),
            "mean": mean,
            "low": mean - half,
            "high": mean + half,
        }


def logit(p):
    return np.log(p / (1 - p))


def lines():
    """The band leaves out one run at a time (CV3 of MacKinnon, Nielsen & Webb 2022)."""
    for n, noise, count in ((6, 0.0, 3), (8, 0.15, 8), (25, 0.3, 5)):
        x = RNG.uniform(0.3, 0.85, n)
        y = 1 / (1 + np.exp(-(0.9 * logit(x) - 0.6 + noise * RNG.normal(size=n))))
        runs = np.arange(n) % count
        design = sm.add_constant(logit(x))
        fitted = sm.OLS(logit(y), design).fit()
        at = float(np.median(x) + 0.01)
        place = np.array([1.0, logit(at)])
        mean = float(place @ fitted.params)
        without = [sm.OLS(logit(y)[runs != r], design[runs != r]).fit().params for r in range(count)]
        error = np.sqrt((count - 1) / count * sum((place @ params - mean) ** 2 for params in without))
        half = float(scipy.stats.t.ppf(0.975, count - 1) * error)
        sigmoid = lambda v: float(1 / (1 + np.exp(-v)))
        yield {
            "source": x.tolist(),
            "target": y.tolist(),
            "runs": runs.tolist(),
            "slope": float(fitted.params[1]),
            "intercept": float(fitted.params[0]),
            "r_squared": float(fitted.rsquared),
            "at": at,
            "expected": sigmoid(mean),
            "low": sigmoid(mean - half),
            "high": sigmoid(mean + half),
        }


def calibration():
    for n, bend in ((40, 1.0), (301, 0.4), (1000, 3.0)):
        p = RNG.beta(4, 2, n)
        right = RNG.uniform(size=n) < p**bend
        log_prob = np.log(p)
        p = np.clip(p, MARGIN, 1 - MARGIN)
        order = np.argsort(-p)
        edges = [i * n // BINS for i in range(BINS + 1)]
        ece = 0.0
        for low, high in zip(edges, edges[1:]):
            part = order[low:high]
            ece += len(part) / n * abs(right[part].mean() - p[part].mean())
        risks = np.cumsum(~right[order]) / np.arange(1, n + 1)

        def nll(log_t):
            q = np.clip(p ** np.exp(-log_t), 1e-300, 1 - 1e-16)
            return -np.mean(np.where(right, np.log(q), np.log1p(-q)))

        best = scipy.optimize.minimize_scalar(nll, bounds=(-5, 5), method="bounded", options={"xatol": 1e-10})
        yield {
            "log_prob": log_prob.tolist(),
            "right": right.tolist(),
            "brier": float(sklearn.metrics.brier_score_loss(right, p)),
            "nll": float(sklearn.metrics.log_loss(right, p)),
            "ece": float(ece),
            "risk_coverage": float(risks.mean()),
            "temperature": float(np.exp(best.x)),
        }


def wins():
    """The share of wins is the Mann-Whitney statistic over the number of pairs."""
    for a, b in ((3, 3), (5, 2), (8, 8)):
        x = np.round(RNG.normal(0.5, 0.1, a), 2)
        y = np.round(RNG.normal(0.45, 0.1, b), 2)
        u = scipy.stats.mannwhitneyu(x, y).statistic
        yield {"first": x.tolist(), "second": y.tolist(), "share": float(u / (a * b))}


def main():
    made = {
        "versions": {m.__name__: m.__version__ for m in (np, scipy, sklearn, statsmodels)},
        "wilson": list(wilson()),
        "mcnemar": list(mcnemar_exact()),
        "holm": list(holm()),
        "sign_flip": list(sign_flip()),
        "quantiles": list(quantiles()),
        "clusters": list(clusters()),
        "lines": list(lines()),
        "calibration": list(calibration()),
        "wins": list(wins()),
    }
    out = Path(__file__).resolve().parent / "statistics.json"
    parts = [f'"{key}": {json.dumps(value)}' for key, value in made.items()]
    out.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="ascii")
    print(f"{out}: " + ", ".join(f"{len(v)} {k}" for k, v in made.items() if k != "versions"))


if __name__ == "__main__":
    main()
