#include "alloc/blob.h"

#include <criterion/criterion.h>
#include <pthread.h>

Test(blob, the_last_who_holds_it_frees_it)
{
    struct blob *a = blob_create(1000), *b, *none = NULL;

    memset(a->p, 'x', 1000);
    cr_assert_not(blob_is_shared(a));
    b = blob_get(a);
    cr_assert(b == a && blob_is_shared(a));
    blob_put(&a);
    cr_assert(a == NULL && !blob_is_shared(b));
    cr_assert_eq(b->p[999], 'x');
    blob_resize(b, 5000);
    cr_assert(b->bytes == 5000 && b->p[999] == 'x');
    blob_put(&b);
    blob_put(&none);
}

Test(blob, a_buffer_becomes_one)
{
    struct buf buf = {0};
    struct blob *b;

    buf_append(&buf, "hello", 5);
    b = blob_of_buf(&buf);
    cr_assert(buf.p == NULL && buf.n == 0 && buf.cap == 0);
    cr_assert(b->bytes >= 5 && memcmp(b->p, "hello", 5) == 0);
    blob_put(&b);
}

static void *
hold_and_let_go(void *arg)
{
    for (int i = 0; i < 100000; i++) {
        struct blob *b = blob_get(arg);

        blob_put(&b);
    }
    return NULL;
}

Test(blob, threads_hold_and_let_go_at_the_same_time)
{
    struct blob *b = blob_create(10);
    pthread_t threads[3];

    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, hold_and_let_go, b), 0);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        pthread_join(threads[i], NULL);
    cr_assert_not(blob_is_shared(b));
    blob_put(&b);
}
