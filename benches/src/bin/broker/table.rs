//! Figures of several rounds.

/// The middle of them; not a number if there are none.
pub(crate) fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    match figures[..] {
        [] => f64::NAN,
        _ if figures.len().is_multiple_of(2) => {
            (figures[figures.len() / 2 - 1] + figures[figures.len() / 2]) / 2.0
        }
        _ => figures[figures.len() / 2],
    }
}

/// Nothing if there are none.
pub(crate) fn geometric_mean(figures: &[f64]) -> Option<f64> {
    let logarithms: f64 = figures.iter().map(|figure| figure.ln()).sum();
    (!figures.is_empty()).then(|| (logarithms / figures.len() as f64).exp())
}

/// `12345678` as `12 345 678`.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if 0 < at && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A figure, or that there is none.
pub(crate) fn or_none(figure: Option<f64>, shown: impl Fn(f64) -> String) -> String {
    figure.filter(|figure| !figure.is_nan()).map_or_else(|| "-".into(), shown)
}

/// The same for a program.
pub(crate) fn json(figure: Option<f64>) -> String {
    figure.filter(|it| !it.is_nan()).map_or_else(|| "null".into(), |it| format!("{it:.3}"))
}
