/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_policy.h"


static const char  *const rooms_policy_modes[ROOMS_POLICY_MODES] = {
    "open", "invite_only", "allowlist", "closed"
};


const char *
rooms_policy_mode_name(rooms_policy_mode_e mode)
{
    return rooms_policy_modes[mode];
}


void
rooms_policy_default(rooms_policy_t *policy)
{
    memset(policy, 0, sizeof(rooms_policy_t));

    policy->mode = ROOMS_POLICY_INVITE_ONLY;
    policy->foreign = ROOMS_POLICY_FOREIGN;
}


static const char *
rooms_policy_mode(json_t *value, rooms_policy_t *policy)
{
    unsigned  i;

    for (i = 0; json_is_string(value) && i < ROOMS_POLICY_MODES; i++) {

        if (strcmp(json_string_value(value), rooms_policy_modes[i]) == 0) {
            policy->mode = i;
            return NULL;
        }
    }

    return "must be \"open\", \"invite_only\", \"allowlist\" or "
           "\"closed\"";
}


static rooms_str_t
rooms_policy_str(json_t *value)
{
    if (!json_is_string(value)) {
        return ROOMS_NULL;
    }

    return (rooms_str_t) { json_string_length(value),
                           (const unsigned char *) json_string_value(value) };
}


int
rooms_policy_lists(const rooms_policy_t *policy, rooms_str_t peer)
{
    size_t  i;

    for (i = 0; i < json_array_size(policy->peers); i++) {
        if (rooms_str_eq(rooms_policy_str(json_array_get(policy->peers, i)),
                         peer))
        {
            return 1;
        }
    }

    return 0;
}


static const char *
rooms_policy_peers(json_t *value, rooms_policy_t *policy)
{
    size_t  i;

    if (!json_is_array(value)
        || json_array_size(value) > ROOMS_POLICY_PEERS)
    {
        return "must be an array of at most 1000 server names";
    }

    for (i = 0; i < json_array_size(value); i++) {
        if (!rooms_peer_valid(rooms_policy_str(json_array_get(value, i)))) {
            return "must name servers as host or host:port, in lower case";
        }
    }

    policy->peers = value;

    return NULL;
}


static const char *
rooms_policy_foreign(json_t *value, rooms_policy_t *policy)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0
        || json_integer_value(value) > ROOMS_POLICY_FOREIGN_MAX)
    {
        return "must be an integer from 0 to 100000";
    }

    policy->foreign = json_integer_value(value);

    return NULL;
}


static const struct {
    const char   *field;
    const char  *(*parse)(json_t *value, rooms_policy_t *policy);
} rooms_policy_fields[] = {
    { "default_mode", rooms_policy_mode },
    { "allowed_peers", rooms_policy_peers },
    { "max_foreign_participants_per_room", rooms_policy_foreign },
    { NULL, NULL }
};


static const char *
rooms_policy_field(const char *key, json_t *value, rooms_policy_t *policy)
{
    unsigned  i;

    for (i = 0; rooms_policy_fields[i].field; i++) {
        if (strcmp(rooms_policy_fields[i].field, key) == 0) {
            return rooms_policy_fields[i].parse(value, policy);
        }
    }

    return NULL;
}


int
rooms_policy_parse(json_t *object, rooms_str_t self, rooms_policy_t *policy,
    rooms_policy_fault_t *fault)
{
    void  *iter;

    rooms_policy_default(policy);

    for (iter = json_object_iter(object); iter;
         iter = json_object_iter_next(object, iter))
    {
        fault->field = json_object_iter_key(iter);
        fault->problem = rooms_policy_field(fault->field,
                                            json_object_iter_value(iter),
                                            policy);
        if (fault->problem) {
            return -1;
        }
    }

    if (policy->mode == ROOMS_POLICY_ALLOWLIST
        && json_array_size(policy->peers)
        && !rooms_policy_lists(policy, self))
    {
        fault->field = "allowed_peers";
        fault->problem = "must name this server too, or the policy would "
                         "exclude it";
        return -1;
    }

    return 0;
}


int
rooms_policy_allows(const rooms_policy_t *policy, rooms_str_t peer,
    int invited)
{
    switch (policy->mode) {

    case ROOMS_POLICY_OPEN:
        return 1;

    case ROOMS_POLICY_INVITE_ONLY:
        return invited || rooms_policy_lists(policy, peer);

    case ROOMS_POLICY_ALLOWLIST:
        return rooms_policy_lists(policy, peer);

    default:
        return 0;
    }
}
