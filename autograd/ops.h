// All differentiable operations, for user code. Our own .cpp files include the ones they use.
#pragma once

#include "autograd/engine.h"
#include "autograd/grad_mode.h"
#include "autograd/ops/activations.h"
#include "autograd/ops/arithmetic.h"
#include "autograd/ops/batch_norm.h"
#include "autograd/ops/conv2d.h"
#include "autograd/ops/dense_block.h"
#include "autograd/ops/dropout.h"
#include "autograd/ops/group_kl.h"
#include "autograd/ops/index_select.h"
#include "autograd/ops/label_select.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/pool2d.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape_ops.h"
#include "autograd/ops/softmax.h"
