//! The claim protocol step by step: the calls of each normal path, and one test for every simpler protocol that the
//! model checker refuted, so that it is not reintroduced.

mod protocol {
    mod adoption;
    mod gc;
    mod paths;
    mod pitfalls;
    mod script;
}
