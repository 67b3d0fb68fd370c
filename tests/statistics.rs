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
