// One table a convention; docs/conventions.md says what wins.
#pragma once

#include "enrich/mapping.h"

namespace obs::convention {

extern const Convention langfuse;
extern const Convention openinference;
extern const Convention langsmith;
extern const Convention mlflow;
extern const Convention otel_genai;
extern const Convention openllmetry;
extern const Convention vercel_ai;
extern const Convention haystack;
extern const Convention genkit;
extern const Convention google_adk;
extern const Convention pydantic_ai;
extern const Convention gateways;

}  // namespace obs::convention
