# shellcheck shell=bash
# How many tests passed, and how many did not, by what a step wrote and how it ended. To be sourced. What is not known
# to have passed has failed: a log that is cut off, a step that died, a sum that does not come out.

# plain LOG: without colours.
plain() { sed 's/\x1b\[[0-9;]*m//g' "$1"; }

# count_tests LOG STATUS: PASSED FAILED, of a run of nextest or `cargo test` that ended with STATUS.
#
# nextest: `Starting 9 tests across 2 binaries`, `PASS [ 0.1s] …` for each, at the end `Summary [ 9.9s] 9 tests run: 8
# passed (1 slow), 1 failed, 0 skipped`; cargo test, for each binary: `running 9 tests`, `test result: ok. 8 passed; …`.
count_tests() {
    plain "$1" | awk -v status="$2" '
        function number_before(word,    at) {
            return match($0, "[0-9]+ " word) ? substr($0, RSTART, RLENGTH) + 0 : 0
        }
        /^ *Starting [0-9]+ tests? across / { listed += $2; begun = 1 }
        /^ *(PASS|LEAK) / { seen++ }
        /^ *Summary \[.*tests? run: / { said += number_before("passed"); ended = 1 }
        /^running [0-9]+ tests?$/ { listed += $2; begun = 1 }
        /^test .* \.\.\. ok$/ { seen++ }
        /^test result: / { said += number_before("passed"); listed -= number_before("ignored"); ended = 1 }
        END {
            # The end of the log may be missing, or the binary whose result is.
            passed = ended ? said : seen + 0
            failed = listed - passed
            if (failed < 0 || !begun) failed = 1
            if ((status != 0 || !ended) && failed == 0) failed = 1
            print passed, failed
        }'
}

# count_checks LOG STATUS: PASSED FAILED, of a step that writes a line a check, `ok …` or `FAILED …`, and at the end
# `N passed, N failed`.
count_checks() {
    plain "$1" | awk -v status="$2" '
        /^ok / { ok++ }
        /^FAILED / { not_ok++ }
        { last = $0 }
        END {
            failed = not_ok + 0
            whole = last == (ok + 0) " passed, " failed " failed"
            if ((status != 0 || !whole) && failed == 0) failed = 1
            print ok + 0, failed
        }'
}
