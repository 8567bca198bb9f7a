//! One task's class strings in another domain's words.

/// Rewrites a prediction made with the source's class strings into the target's: a class string
/// into the target's of the same class, and within any other text the string of class 1.
///
/// The reference code does `str.replace("duplicate", "equivalent")` from QQP to MRPC and the
/// reverse on the way back (google-research/prompt-tuning,
/// `prompt_tuning/data/postprocessors.py`). The replaced words are the strings of class 1, which
/// the strings of class 0 contain (`not_duplicate`), so both classes are rewritten.
pub fn rewrite(prediction: &str, source_labels: &[String], target_labels: &[String]) -> String {
    let class = source_labels.iter().position(|label| label == prediction);
    if let Some(label) = class.and_then(|class| target_labels.get(class)) {
        return label.clone();
    }
    match (source_labels.get(1), target_labels.get(1)) {
        (Some(source), Some(target)) if !source.is_empty() => prediction.replace(source, target),
        _ => prediction.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(word: &str) -> Vec<String> {
        vec![format!("not_{word}"), word.to_string()]
    }

    #[test]
    fn both_classes_and_everything_else_follow_str_replace() {
        let (qqp, mrpc) = (labels("duplicate"), labels("equivalent"));
        for (prediction, wanted) in [
            ("duplicate", "equivalent"),
            ("not_duplicate", "not_equivalent"),
            ("duplicate duplicate", "equivalent equivalent"),
            ("equivalent", "equivalent"),
            ("no idea", "no idea"),
            ("", ""),
        ] {
            assert_eq!(rewrite(prediction, &qqp, &mrpc), wanted);
        }
        assert_eq!(rewrite("not_equivalent", &mrpc, &qqp), "not_duplicate");
        let (truth, yes) = (["False", "True"], ["no", "yes"]);
        let [truth, yes] = [truth, yes].map(|labels| labels.map(str::to_string));
        assert_eq!(rewrite("False", &truth, &yes), "no");
        assert_eq!(rewrite("yes", &yes, &truth), "True");
        assert_eq!(rewrite("duplicate", &qqp, &qqp), "duplicate");
        assert_eq!(rewrite("duplicate", &[], &[]), "duplicate");
    }
}
