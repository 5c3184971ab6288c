// The rows of answers: query/row_json.h under the names of this folder.
#pragma once

#include "query/row_json.h"

namespace obs::serve {

using query::RowWriter;
using query::Selection;
using query::write_attributes;
using query::write_json_or_text;

}  // namespace obs::serve
