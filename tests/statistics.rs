//! Statistics against printed tables.

use toalign::report::statistics::*;

/// Table of the t distribution, two-sided 0.05 and 0.01: NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2.
#[test]
fn quantiles_are_those_of_the_printed_tables() {
    let table = [
        (1, 12.706, 63.657),
        (2, 4.303, 9.925),
        (3, 3.182, 5.841),
        (4, 2.776, 4.604),
        (11, 2.201, 3.106),
        (30, 2.042, 2.750),
        (35, 2.030, 2.724),
        (100, 1.984, 2.626),
    ];
    for (freedom, five, one) in table {
        assert!((student_quantile(0.95, freedom) - five).abs() < 6e-4, "{freedom}");
        assert!((student_quantile(0.99, freedom) - one).abs() < 6e-4, "{freedom}");
    }
}

/// Student's own example (1908, the sleep data of Cushny and Peebles): t = 4.0621, p = 0.002833, 95 % from 0.700 to 2.460.
#[test]
fn the_paired_test_agrees_with_student_s_sleep_data() {
    let found = Difference::of(&[1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]).unwrap();
    let (low, high) = found.interval.unwrap();
    assert!((found.mean - 1.58).abs() < 1e-12 && found.pairs == 10);
    assert!((low - 0.7001142).abs() < 1e-6 && (high - 2.4598858).abs() < 1e-6, "{found:?}");
    assert!((found.p.unwrap() - 0.00283289).abs() < 1e-7, "{found:?}");
}

#[test]
fn one_pair_has_no_interval_and_none_no_difference() {
    let one = Difference::of(&[2.5]).unwrap();
    assert_eq!((one.mean, one.interval, one.p), (2.5, None, None));
    assert_eq!(Difference::of(&[]), None);
    assert_eq!(Difference::of(&[0.0, 0.0]).unwrap().p, Some(1.0));
    assert_eq!(Difference::of(&[1.0, 1.0]).unwrap().p, Some(0.0));
    assert_eq!((mean(&[]), deviation(&[1.0]), median(&[])), (None, None, None));
    assert_eq!((median(&[3.0, 1.0, 2.0]), median(&[4.0, 1.0])), (Some(2.0), Some(2.5)));
}

/// The example of Wikipedia's article on Spearman's coefficient, hours of television against IQ: -29/165. And with ties, where the
/// mean ranks 1, 2.5, 2.5, 4 against 1, 3, 2, 4 correlate by 4.5 / sqrt(4.5 · 5).
#[test]
fn ranks_correlate_as_in_the_printed_example() {
    let pairs = [(106.0, 7.0), (100.0, 27.0), (86.0, 2.0), (101.0, 50.0), (99.0, 28.0)];
    let more = [(103.0, 29.0), (97.0, 20.0), (113.0, 12.0), (112.0, 6.0), (110.0, 17.0)];
    let all: Vec<(f64, f64)> = pairs.into_iter().chain(more).collect();
    assert!((rank_correlation(&all).unwrap() + 29.0 / 165.0).abs() < 1e-12);
    let ties = [(1.0, 1.0), (2.0, 3.0), (2.0, 2.0), (3.0, 4.0)];
    assert!((rank_correlation(&ties).unwrap() - 4.5 / (4.5f64 * 5.0).sqrt()).abs() < 1e-12);
}

/// The bootstrap of a mean of many normal-like values is Student's interval but for the small sample: for 1 to 40, a mean of 20.5 with an
/// error of 1.85.
#[test]
fn the_bootstrap_finds_the_interval_of_a_mean() {
    let values: Vec<f64> = (1..=40).map(f64::from).collect();
    let (low, high) = bootstrap_interval(&values, 3, mean).unwrap();
    assert!((low - 16.92).abs() < 0.15 && (high - 24.08).abs() < 0.15, "{low} {high}");
    assert_eq!(bootstrap_interval(&values, 3, mean), Some((low, high)), "the same draws");
    assert_eq!(bootstrap_interval::<f64>(&[], 3, mean), None);
    assert_eq!(bootstrap_interval(&[(1.0, 2.0); 5], 3, rank_correlation), None, "no draw has one");
}

/// Sums of binomial coefficients, exactly, by another program.
#[test]
fn mcnemar_s_test_is_exact_for_few_and_for_many() {
    for (first, second, p) in
        [(121, 59, 4.434449263755176e-6), (44, 52, 0.4751520499865724), (600, 700, 0.0060157938610449525)]
    {
        assert!((mcnemar(first, second) / p - 1.0).abs() < 1e-9, "{first} {second}");
    }
}
