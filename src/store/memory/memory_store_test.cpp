#include "store/memory/memory_store.h"

#include <gtest/gtest.h>

#include "store/contract_test.h"

namespace obs::test {

INSTANTIATE_TEST_SUITE_P(Memory, StoreContract,
                         testing::Values(StoreMaker{"memory",
                                                    [] { return std::make_shared<MemoryStore>(); }}),
                         store_name);

}  // namespace obs::test
