// What a store answered to a question of this folder.
#pragma once

#include "base/result.h"

namespace obs::query {

// A question that a store calls invalid is our mistake: the client's were found before it was asked. What a
// store says is for the operator.
template <class T>
Result<T> asked(Result<T> answer) {
    if (!answer &&
        (answer.error().kind == ErrorKind::invalid_input || answer.error().kind == ErrorKind::not_found))
        answer.error().kind = ErrorKind::internal;
    return answer;
}

}  // namespace obs::query
