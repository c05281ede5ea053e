//! Statistics of repeated runs: samples with confidence intervals, and fits of how a measure grows
//! with the size of the cluster.

/// 0.975 quantiles of Student's t for 1 to 10 degrees of freedom. Beyond, [`student_t`] has a
/// formula.
const STUDENT_T: [f64; 10] =
    [12.70620, 4.30265, 3.18245, 2.77645, 2.57058, 2.44691, 2.36462, 2.30600, 2.26216, 2.22814];

/// Measurements of one quantity, one of each run.
///
/// They are kept sorted, so that no figure depends on the order in which they came. Figures that a
/// sample is too small for are NaN, which tables show as missing; so is everything about a sample
/// with a NaN in it, rather than a figure of the rest. Infinity ("it never happened") is a fair
/// value for percentiles.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    sorted: Vec<f64>,
}

impl Sample {
    /// A sample of `values`, in any order. Cost: O(n log n).
    pub fn new(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self { sorted: values }
    }

    /// The measurements, ascending.
    pub fn values(&self) -> &[f64] {
        &self.sorted
    }

    /// How many measurements there are.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Whether nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// The arithmetic mean; NaN of an empty sample.
    pub fn mean(&self) -> f64 {
        mean(&self.sorted)
    }

    /// The standard deviation of the population, estimated from the sample (divided by n - 1); NaN
    /// of fewer than two.
    pub fn standard_deviation(&self) -> f64 {
        if self.len() < 2 {
            return f64::NAN;
        }
        if self.sorted.first() == self.sorted.last() {
            return 0.0; // Rounding of the mean would leave dust.
        }
        let mean = self.mean();
        let squares: f64 = self.sorted.iter().map(|value| (value - mean).powi(2)).sum();
        (squares / (self.len() - 1) as f64).sqrt()
    }

    /// Half the width of the 95 % confidence interval of the mean, by Student's t with n - 1
    /// degrees of freedom; NaN of fewer than two measurements.
    ///
    /// It takes means of samples of this size for normally distributed: of few and very skewed
    /// measurements it is too narrow.
    pub fn half_width(&self) -> f64 {
        if self.len() < 2 {
            return f64::NAN;
        }
        student_t(self.len() - 1) * self.standard_deviation() / (self.len() as f64).sqrt()
    }

    /// The 95 % confidence interval of the mean, `(low, high)`. See
    /// [`half_width`](Self::half_width).
    pub fn confidence_interval(&self) -> (f64, f64) {
        (self.mean() - self.half_width(), self.mean() + self.half_width())
    }

    /// The `percent`-th percentile (0 to 100, else clamped), interpolated linearly between the
    /// closest ranks: the value at rank `percent / 100 * (n - 1)`, counted from 0. (R calls it type
    /// 7; NumPy and spreadsheets do the same.) NaN of an empty sample.
    pub fn percentile(&self, percent: f64) -> f64 {
        if self.is_empty() || percent.is_nan() || self.has_nan() {
            return f64::NAN;
        }
        let rank = percent.clamp(0.0, 100.0) / 100.0 * (self.len() - 1) as f64;
        let (below, above) =
            (self.sorted[rank.floor() as usize], self.sorted[rank.ceil() as usize]);
        // Not only quicker: between two infinities there is nothing to interpolate.
        if below == above { below } else { below + (above - below) * rank.fract() }
    }

    /// The median, the 50th percentile.
    pub fn median(&self) -> f64 {
        self.percentile(50.0)
    }

    /// The least measurement; NaN of an empty sample.
    pub fn min(&self) -> f64 {
        self.percentile(0.0)
    }

    /// The greatest measurement; NaN of an empty sample.
    pub fn max(&self) -> f64 {
        self.percentile(100.0)
    }

    /// NaN sorts to either end, by its sign.
    fn has_nan(&self) -> bool {
        [self.sorted.first(), self.sorted.last()].into_iter().flatten().any(|value| value.is_nan())
    }
}

impl FromIterator<f64> for Sample {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        Self::new(values.into_iter().collect())
    }
}

/// How a [`Fit`] takes y to depend on x.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// y = intercept + slope ln x.
    Logarithmic,
    /// ln y = intercept + slope ln x, which is y = e^intercept x^slope: the slope is the exponent
    /// of growth.
    Power,
}

/// A line fitted by least squares to points whose x, or both coordinates, were taken the logarithm
/// of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// What was fitted.
    pub growth: Growth,
    /// The slope: y gained by each factor e of x, or the exponent of growth.
    pub slope: f64,
    /// Half the width of the slope's 95 % confidence interval, by Student's t with n - 2 degrees of
    /// freedom; NaN of two points, which every line fits.
    pub slope_half_width: f64,
    /// y at x = 1, or its logarithm.
    pub intercept: f64,
    /// r², the share of the variance of y (of ln y) that the line accounts for, 0 to 1. NaN where y
    /// does not vary, and there is nothing to account for.
    pub r_squared: f64,
}

impl Fit {
    /// Fits y against ln x. None if a coordinate is not finite, an x is not positive, or there are
    /// not two different x.
    pub fn logarithmic(points: &[(f64, f64)]) -> Option<Self> {
        let points: Vec<_> = points.iter().map(|&(x, y)| (x.ln(), y)).collect();
        Self::line(Growth::Logarithmic, &points)
    }

    /// Fits ln y against ln x. None if a coordinate is not finite or not positive, or there are not
    /// two different x.
    pub fn power(points: &[(f64, f64)]) -> Option<Self> {
        let points: Vec<_> = points.iter().map(|&(x, y)| (x.ln(), y.ln())).collect();
        Self::line(Growth::Power, &points)
    }

    /// The y that the fit expects at `x` (positive).
    pub fn at(&self, x: f64) -> f64 {
        let y = self.intercept + self.slope * x.ln();
        match self.growth {
            Growth::Logarithmic => y,
            Growth::Power => y.exp(),
        }
    }

    fn line(growth: Growth, points: &[(f64, f64)]) -> Option<Self> {
        if points.iter().any(|(x, y)| !x.is_finite() || !y.is_finite()) {
            return None;
        }
        let (xs, ys): (Vec<_>, Vec<_>) = points.iter().copied().unzip();
        let (mean_x, mean_y) = (mean(&xs), mean(&ys));
        let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
            points.iter().map(|&(x, y)| f(x - mean_x, y - mean_y)).sum()
        };
        let (xx, xy, yy) = (sum(&|x, _| x * x), sum(&|x, y| x * y), sum(&|_, y| y * y));
        // Not a comparison of sums of squares with 0, which rounding of the mean would blur.
        if xs.iter().all(|x| *x == xs[0]) {
            return None;
        }
        let slope = xy / xx;
        let residual = sum(&|x, y| (y - slope * x).powi(2));
        let varies = ys.iter().any(|y| *y != ys[0]);
        Some(Self {
            growth,
            slope,
            slope_half_width: slope_half_width(points.len(), residual, xx),
            intercept: mean_y - slope * mean_x,
            r_squared: if varies { 1.0 - residual / yy } else { f64::NAN },
        })
    }
}

fn slope_half_width(points: usize, residual: f64, xx: f64) -> f64 {
    match points.checked_sub(2) {
        None | Some(0) => f64::NAN,
        Some(freedom) => student_t(freedom) * (residual / freedom as f64 / xx).sqrt(),
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The 0.975 quantile of Student's t: a table up to 10 degrees of `freedom`, and above four terms
/// of the Cornish-Fisher expansion about the normal quantile (Abramowitz and Stegun 26.7.5), which
/// is then right to 1e-5.
fn student_t(freedom: usize) -> f64 {
    const Z: f64 = 1.959_963_985;
    if let Some(quantile) = freedom.checked_sub(1).and_then(|index| STUDENT_T.get(index)) {
        return *quantile;
    }
    let v = freedom as f64;
    let terms = [
        Z,
        (Z.powi(3) + Z) / 4.0,
        (5.0 * Z.powi(5) + 16.0 * Z.powi(3) + 3.0 * Z) / 96.0,
        (3.0 * Z.powi(7) + 19.0 * Z.powi(5) + 17.0 * Z.powi(3) - 15.0 * Z) / 384.0,
        (79.0 * Z.powi(9) + 776.0 * Z.powi(7) + 1482.0 * Z.powi(5)
            - 1920.0 * Z.powi(3)
            - 945.0 * Z)
            / 92_160.0,
    ];
    terms.iter().rev().fold(0.0, |sum, term| sum / v + term)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(actual: f64, expected: f64) {
        assert!((actual - expected).abs() < 1e-5, "{actual} is not {expected}");
    }

    fn sample(values: &[f64]) -> Sample {
        values.iter().copied().collect()
    }

    #[test]
    fn students_t_matches_published_tables() {
        let published = [(1, 12.70620), (5, 2.57058), (10, 2.22814), (11, 2.20099)];
        for (freedom, t) in
            published.into_iter().chain([(30, 2.04227), (60, 2.00030), (100, 1.98397)])
        {
            close(student_t(freedom), t);
        }
    }

    #[test]
    fn a_sample_has_the_figures_of_the_textbook() {
        let sample = sample(&[9.0, 2.0, 4.0, 5.0, 4.0, 5.0, 7.0, 4.0]);
        assert_eq!(sample.len(), 8);
        close(sample.mean(), 5.0);
        close(sample.standard_deviation(), (32.0_f64 / 7.0).sqrt());
        // 2.364624 * 2.138090 / sqrt(8)
        close(sample.half_width(), 1.787488);
        let (low, high) = sample.confidence_interval();
        close(low, 3.212512);
        close(high, 6.787488);
        assert_eq!((sample.min(), sample.median(), sample.max()), (2.0, 4.5, 9.0));
    }

    #[test]
    fn equal_measurements_do_not_scatter() {
        assert_eq!(sample(&[0.004; 10]).half_width(), 0.0);
    }

    #[test]
    fn percentiles_interpolate_between_the_closest_ranks() {
        let sample = sample(&[40.0, 10.0, 30.0, 20.0]);
        assert_eq!(sample.values(), [10.0, 20.0, 30.0, 40.0]);
        close(sample.percentile(25.0), 17.5);
        close(sample.percentile(90.0), 37.0);
        close(sample.percentile(-1.0), 10.0);
        close(sample.percentile(101.0), 40.0);
    }

    #[test]
    fn what_never_happened_counts_in_percentiles() {
        let sample = sample(&[f64::INFINITY, 1.0, 2.0, f64::INFINITY]);
        assert_eq!(sample.percentile(100.0 / 3.0), 2.0);
        assert_eq!(sample.median(), f64::INFINITY);
        assert_eq!(sample.percentile(90.0), f64::INFINITY);
    }

    #[test]
    fn too_small_a_sample_has_no_figures() {
        let empty = Sample::default();
        assert!(empty.is_empty());
        assert!(empty.mean().is_nan() && empty.median().is_nan() && empty.max().is_nan());
        let one = sample(&[3.0]);
        assert_eq!((one.mean(), one.median()), (3.0, 3.0));
        assert!(one.standard_deviation().is_nan() && one.half_width().is_nan());
    }

    #[test]
    fn a_nan_is_not_hidden() {
        let sample = sample(&[1.0, f64::NAN, 2.0]);
        assert!(sample.mean().is_nan() && sample.median().is_nan() && sample.min().is_nan());
    }

    #[test]
    fn growth_by_the_logarithm_is_found() {
        let points: Vec<_> =
            [8.0_f64, 64.0, 512.0].iter().map(|x| (*x, 2.0 + 3.0 * x.ln())).collect();
        let fit = Fit::logarithmic(&points).unwrap();
        close(fit.slope, 3.0);
        close(fit.intercept, 2.0);
        close(fit.r_squared, 1.0);
        close(fit.slope_half_width, 0.0);
        close(fit.at(100.0), 2.0 + 3.0 * 100.0_f64.ln());
    }

    #[test]
    fn the_exponent_of_growth_is_found() {
        let points: Vec<_> =
            [8.0_f64, 64.0, 512.0].iter().map(|x| (*x, 5.0 * x.powf(1.5))).collect();
        let fit = Fit::power(&points).unwrap();
        close(fit.slope, 1.5);
        close(fit.intercept, 5.0_f64.ln());
        close(fit.at(100.0), 5_000.0);
    }

    #[test]
    fn a_fit_of_scattered_points_has_the_known_scatter() {
        // y against 1 to 5: slope 1.99, intercept 0.05, r² 0.997305, standard error of the slope
        // 0.0597216; t(3) = 3.18245.
        let ys = [2.1, 3.9, 6.2, 7.8, 10.1];
        let points: Vec<_> = ys.iter().zip(1..).map(|(y, x)| (f64::from(x).exp(), *y)).collect();
        let fit = Fit::logarithmic(&points).unwrap();
        close(fit.slope, 1.99);
        close(fit.intercept, 0.05);
        close(fit.r_squared, 0.997305);
        close(fit.slope_half_width, 0.190061);
    }

    #[test]
    fn what_does_not_grow_has_slope_zero_and_no_r_squared() {
        let fit = Fit::power(&[(8.0, 0.7), (64.0, 0.7), (512.0, 0.7)]).unwrap();
        close(fit.slope, 0.0);
        assert!(fit.r_squared.is_nan());
    }

    #[test]
    fn what_no_line_fits_is_none() {
        assert_eq!(Fit::logarithmic(&[]), None);
        assert_eq!(Fit::logarithmic(&[(8.0, 1.0), (8.0, 2.0)]), None);
        assert_eq!(Fit::logarithmic(&[(0.0, 1.0), (8.0, 2.0)]), None);
        assert_eq!(Fit::power(&[(1.0, 0.0), (8.0, 2.0)]), None);
    }

    #[test]
    fn two_points_fit_without_certainty() {
        assert!(Fit::power(&[(1.0, 1.0), (8.0, 2.0)]).unwrap().slope_half_width.is_nan());
    }
}
