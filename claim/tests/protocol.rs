//! The claim protocol step by step: the calls of each ordinary path, and one test for every easier protocol that the
//! model checker refuted, so that nobody simplifies it back.

mod protocol {
    mod adoption;
    mod gc;
    mod paths;
    mod pitfalls;
    mod script;
}
