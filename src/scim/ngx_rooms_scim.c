/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Authentication, errors, and SCIM's descriptions of the service. */

#include "ngx_rooms_scim.h"
#include <sodium.h>


#define NGX_ROOMS_SCIM_HASH     32
#define NGX_ROOMS_SCIM_TOKEN    16         /* least characters */
#define NGX_ROOMS_SCIM_FILE   8192         /* most bytes */


static ngx_int_t ngx_rooms_scim_authenticate(ngx_rooms_req_t *rq);
static rooms_str_t ngx_rooms_scim_error(ngx_rooms_req_t *rq,
    ngx_pool_t *pool);
static ngx_int_t ngx_rooms_scim_provider_show(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_scim_types_show(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_scim_type_show(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_scim_schemas_show(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_scim_schema_show(ngx_rooms_req_t *rq);


const ngx_rooms_envelope_t  ngx_rooms_scim_envelope = {
    .type = ngx_string("application/scim+json"),
    .location = "",
    .authenticate = ngx_rooms_scim_authenticate,
    .error = ngx_rooms_scim_error
};


const ngx_rooms_endpoint_t  ngx_rooms_scim_rows[] = {

    { .method = NGX_HTTP_GET, .path = "/scim/v2/ServiceProviderConfig",
      .part = NGX_ROOMS_PART_SCIM, .op = ROOMS_OP_READ,
      .show = ngx_rooms_scim_provider_show,
      .envelope = &ngx_rooms_scim_envelope },

    { .method = NGX_HTTP_GET, .path = "/scim/v2/ResourceTypes",
      .part = NGX_ROOMS_PART_SCIM, .op = ROOMS_OP_READ,
      .show = ngx_rooms_scim_types_show,
      .envelope = &ngx_rooms_scim_envelope },

    { .method = NGX_HTTP_GET, .path = "/scim/v2/ResourceTypes/{local}",
      .part = NGX_ROOMS_PART_SCIM, .op = ROOMS_OP_READ,
      .show = ngx_rooms_scim_type_show,
      .envelope = &ngx_rooms_scim_envelope },

    { .method = NGX_HTTP_GET, .path = "/scim/v2/Schemas",
      .part = NGX_ROOMS_PART_SCIM, .op = ROOMS_OP_READ,
      .show = ngx_rooms_scim_schemas_show,
      .envelope = &ngx_rooms_scim_envelope },

    { .method = NGX_HTTP_GET, .path = "/scim/v2/Schemas/{local}",
      .part = NGX_ROOMS_PART_SCIM, .op = ROOMS_OP_READ,
      .show = ngx_rooms_scim_schema_show,
      .envelope = &ngx_rooms_scim_envelope },

    { .path = NULL }
};


/*
 * The attributes of a User that the schema describes.  Others are stored,
 * too.
 */
static const struct {
    const char  *name;
    const char  *type;
    const char  *subs;                     /* sub-attributes of a complex one */
    unsigned     many:1;
    unsigned     required:1;
    unsigned     exact:1;
    unsigned     unique:1;
    const char  *description;
} ngx_rooms_scim_attributes[] = {
    { "userName", "string", NULL, 0, 1, 0, 1,
      "Unique name of the User at the identity provider." },
    { "externalId", "string", NULL, 0, 0, 1, 1,
      "The participant's id, as tokens name it." },
    { "name", "complex", "formatted familyName givenName middleName "
      "honorificPrefix honorificSuffix", 0, 0, 0, 0, "The User's name." },
    { "displayName", "string", NULL, 0, 0, 0, 0, "The display name." },
    { "nickName", "string", NULL, 0, 0, 0, 0, "Kept." },
    { "profileUrl", "reference", NULL, 0, 0, 1, 0, "Kept." },
    { "title", "string", NULL, 0, 0, 0, 0, "Kept." },
    { "userType", "string", NULL, 0, 0, 0, 0, "Kept." },
    { "preferredLanguage", "string", NULL, 0, 0, 0, 0, "Kept." },
    { "locale", "string", NULL, 0, 0, 0, 0, "Kept." },
    { "timezone", "string", NULL, 0, 0, 0, 0, "Kept." },
    { "active", "boolean", NULL, 0, 0, 0, 0,
      "False: the participant is deactivated." },
    { "emails", "complex", "value display type primary", 1, 0, 0, 0,
      "The primary one, or that of work, is the participant's." },
    { "phoneNumbers", "complex", "value display type primary", 1, 0, 0, 0,
      "Kept." },
    { "photos", "complex", "value display type primary", 1, 0, 0, 0,
      "An https URL is the participant's avatar." },
    { "addresses", "complex", "formatted streetAddress locality region "
      "postalCode country type", 1, 0, 0, 0, "Kept." },
    { "roles", "complex", "value display type primary", 1, 0, 0, 0, "Kept." },
    { NULL, NULL, NULL, 0, 0, 0, 0, NULL }
};


ngx_int_t
ngx_rooms_scim_fail(ngx_rooms_req_t *rq, ngx_uint_t code, const char *type,
    const char *detail)
{
    rq->error_field = type ? rooms_cstr(type) : ROOMS_NULL;

    return ngx_rooms_fail(rq, code, detail);
}


/* Compares with all tokens, each in constant time. */
static ngx_int_t
ngx_rooms_scim_authenticate(ngx_rooms_req_t *rq)
{
    u_char       hash[NGX_ROOMS_SCIM_HASH], *known;
    ngx_str_t    value;
    ngx_uint_t   i, found;

    rq->error = ROOMS_OK;
    rq->refusal = NGX_ROOMS_E_AUTH_INVALID;
    rq->refusal_why = NULL;

    if (rq->r->headers_in.authorization == NULL) {
        return ngx_rooms_scim_fail(rq, NGX_ROOMS_E_AUTH_INVALID, NULL,
                                   "a bearer token is needed");
    }

    value = rq->r->headers_in.authorization->value;

    if (value.len <= sizeof("Bearer ") - 1
        || ngx_strncasecmp(value.data, (u_char *) "Bearer ",
                           sizeof("Bearer ") - 1) != 0)
    {
        return ngx_rooms_scim_fail(rq, NGX_ROOMS_E_AUTH_INVALID, NULL,
                                   "a bearer token is needed");
    }

    value.data += sizeof("Bearer ") - 1;
    value.len -= sizeof("Bearer ") - 1;

    while (value.len && *value.data == ' ') {
        value.data++;
        value.len--;
    }

    (void) crypto_generichash(hash, sizeof(hash), value.data, value.len,
                              NULL, 0);

    known = rq->conf->scim_tokens->elts;

    for (i = 0, found = 0; i < rq->conf->scim_tokens->nelts; i++) {
        found |= sodium_memcmp(known + i * NGX_ROOMS_SCIM_HASH, hash,
                               NGX_ROOMS_SCIM_HASH) == 0;
    }

    if (!found) {
        rq->refusal_why = "the token is not in rooms_scim_token_file";
        return ngx_rooms_scim_fail(rq, NGX_ROOMS_E_AUTH_INVALID, NULL,
                                   "the token is refused");
    }

    rq->refusal = 0;
    rq->authenticated = 1;
    rq->principal.sub = ngx_rooms_s("scim");
    rq->principal.tenant = rooms_from_ngx(rq->conf->tenant);

    return ngx_rooms_keys_init(&rq->keys, rq->pool, &rq->conf->key_prefix,
                               rq->principal.tenant);
}


/* RFC 7644, section 3.12 */
static rooms_str_t
ngx_rooms_scim_error(ngx_rooms_req_t *rq, ngx_pool_t *pool)
{
    u_char                    status[NGX_INT_T_LEN];
    rooms_buf_t              *b;
    rooms_str_t               type, detail, problem;
    const ngx_rooms_error_t  *e;
    ngx_rooms_json_t          text;

    e = ngx_rooms_error(rq->error);
    detail = rq->message.data ? rq->message : rooms_cstr(e->message);
    type = ROOMS_NULL;
    problem = ROOMS_NULL;

    if (rq->error == ROOMS_E_VALIDATION
        || rq->error == NGX_ROOMS_E_PARTICIPANT_EXISTS)
    {
        type = rq->error_field;
    }

    if (rq->error == ROOMS_E_VALIDATION && rq->error_problem.data) {
        /* a fault of the body, found before the row looked at it */
        detail = rq->error_field;
        problem = rq->error_problem;
        type = ngx_rooms_s("invalidSyntax");
    }

    b = ngx_rooms_json(&text, pool);

    rooms_json_lit(b, "{\"schemas\":[\"urn:ietf:params:scim:api:messages:"
                       "2.0:Error\"],\"status\":");
    rooms_json_str(b, (rooms_str_t) {
                      ngx_sprintf(status, "%ui", e->status) - status, status });

    if (type.data) {
        rooms_json_lit(b, ",\"scimType\":");
        rooms_json_str(b, type);
    }

    rooms_json_lit(b, ",\"detail\":\"");
    rooms_json_escape(b, detail);

    if (problem.data) {
        rooms_json_lit(b, ": ");
        rooms_json_escape(b, problem);
    }

    rooms_json_lit(b, "\"}\n");

    return ngx_rooms_json_end(&text);
}


rooms_str_t
ngx_rooms_scim_url(ngx_rooms_req_t *rq, const char *path, rooms_str_t id)
{
    u_char       *p, *last;
    size_t        n;
    rooms_str_t   host, scheme;

    scheme = ngx_rooms_s("http://");

#if (NGX_HTTP_SSL)
    if (rq->r->connection->ssl) {
        scheme = ngx_rooms_s("https://");
    }
#endif

    host = rq->r->headers_in.host
           ? rooms_from_ngx(rq->r->headers_in.host->value)
           : rooms_from_ngx(rq->conf->server_name);

    n = ngx_escape_uri(NULL, (u_char *) id.data, id.len,
                       NGX_ESCAPE_URI_COMPONENT);

    p = ngx_pnalloc(rq->pool, id.len + 2 * n + 1);
    if (p == NULL) {
        return ROOMS_NULL;
    }

    last = (u_char *) ngx_escape_uri(p, (u_char *) id.data, id.len,
                                     NGX_ESCAPE_URI_COMPONENT);

    return ngx_rooms_join(rq->pool, scheme, host, rooms_cstr(path),
                          { last - p, p });
}


ngx_int_t
ngx_rooms_scim_put(ngx_rooms_req_t *rq, json_t *tree)
{
    char    *text;
    size_t   len;

    text = tree ? json_dumps(tree, JSON_COMPACT) : NULL;
    json_decref(tree);

    if (text == NULL) {
        return NGX_ERROR;
    }

    len = ngx_strlen(text);
    rooms_json_raw(ngx_rooms_out(&rq->out), text, len);
    rooms_json_lit(ngx_rooms_out(&rq->out), "\n");
    free(text);

    return NGX_OK;
}


static json_t *
ngx_rooms_scim_meta(ngx_rooms_req_t *rq, const char *type, const char *path,
    const char *id)
{
    rooms_str_t  url;

    url = ngx_rooms_scim_url(rq, path, rooms_cstr(id));

    return json_pack("{s:s, s:s%}", "resourceType", type, "location",
                     (const char *) url.data, url.len);
}


static ngx_int_t
ngx_rooms_scim_provider_show(ngx_rooms_req_t *rq)
{
    json_t  *tree;

    tree = json_pack("{s:[s], s:s, s:{s:b}, s:{s:b, s:i, s:i}, s:{s:b, s:i}, "
                     "s:{s:b}, s:{s:b}, s:{s:b}, s:[{s:s, s:s, s:s, s:b}], "
                     "s:o}",
        "schemas", "urn:ietf:params:scim:schemas:core:2.0:"
                   "ServiceProviderConfig",
        "documentationUri", "https://www.rfc-editor.org/rfc/rfc7644",
        "patch", "supported", 1,
        "bulk", "supported", 0, "maxOperations", 0, "maxPayloadSize", 0,
        "filter", "supported", 1, "maxResults", 200,
        "changePassword", "supported", 0,
        "sort", "supported", 0,
        "etag", "supported", 1,
        "authenticationSchemes",
            "type", "oauthbearertoken", "name", "Bearer token",
            "description", "A token of rooms_scim_token_file", "primary", 1,
        "meta", ngx_rooms_scim_meta(rq, "ServiceProviderConfig",
                                    "/scim/v2/ServiceProviderConfig", ""));

    return ngx_rooms_scim_put(rq, tree);
}


static json_t *
ngx_rooms_scim_list(json_t *resources)
{
    return json_pack("{s:[s], s:i, s:i, s:i, s:o}", "schemas",
                     "urn:ietf:params:scim:api:messages:2.0:ListResponse",
                     "totalResults", (int) json_array_size(resources),
                     "startIndex", 1,
                     "itemsPerPage", (int) json_array_size(resources),
                     "Resources", resources);
}


static json_t *
ngx_rooms_scim_user_type(ngx_rooms_req_t *rq)
{
    return json_pack("{s:[s], s:s, s:s, s:s, s:s, s:s, s:[{s:s, s:b}], s:o}",
        "schemas", "urn:ietf:params:scim:schemas:core:2.0:ResourceType",
        "id", "User", "name", "User", "endpoint", "/Users",
        "description", "Participants", "schema", ROOMS_SCIM_USER,
        "schemaExtensions", "schema", ROOMS_SCIM_ENTERPRISE, "required", 0,
        "meta", ngx_rooms_scim_meta(rq, "ResourceType",
                                    "/scim/v2/ResourceTypes/", "User"));
}


static ngx_int_t
ngx_rooms_scim_types_show(ngx_rooms_req_t *rq)
{
    return ngx_rooms_scim_put(rq, ngx_rooms_scim_list(
                              json_pack("[o]", ngx_rooms_scim_user_type(rq))));
}


static ngx_int_t
ngx_rooms_scim_type_show(ngx_rooms_req_t *rq)
{
    if (!rooms_str_eq(rq->param[NGX_ROOMS_P_LOCAL], ngx_rooms_s("User"))) {
        return ngx_rooms_scim_fail(rq, NGX_ROOMS_E_PATH, NULL,
                                   "there is no such resource type");
    }

    return ngx_rooms_scim_put(rq, ngx_rooms_scim_user_type(rq));
}


static json_t *
ngx_rooms_scim_attribute(const char *name, size_t len, const char *type,
    const char *description, unsigned many, unsigned required,
    unsigned exact, unsigned unique)
{
    return json_pack("{s:s%, s:s, s:b, s:s, s:b, s:b, s:s, s:s, s:s}",
                     "name", name, len, "type", type, "multiValued",
                     (int) many, "description", description, "required",
                     (int) required, "caseExact", (int) exact, "mutability",
                     "readWrite", "returned", "default", "uniqueness",
                     unique ? "server" : "none");
}


static json_t *
ngx_rooms_scim_user_schema(ngx_rooms_req_t *rq)
{
    size_t       len;
    json_t      *attributes, *a, *subs;
    ngx_uint_t   i;
    const char  *s;

    attributes = json_array();

    for (i = 0; ngx_rooms_scim_attributes[i].name; i++) {
        s = ngx_rooms_scim_attributes[i].name;

        a = ngx_rooms_scim_attribute(s, ngx_strlen(s),
                                     ngx_rooms_scim_attributes[i].type,
                                     ngx_rooms_scim_attributes[i].description,
                                     ngx_rooms_scim_attributes[i].many,
                                     ngx_rooms_scim_attributes[i].required,
                                     ngx_rooms_scim_attributes[i].exact,
                                     ngx_rooms_scim_attributes[i].unique);

        s = ngx_rooms_scim_attributes[i].subs;
        subs = s ? json_array() : NULL;

        while (s && *s) {
            len = strcspn(s, " ");
            (void) json_array_append_new(subs,
                     ngx_rooms_scim_attribute(s, len,
                                       ngx_strncmp(s, "primary", len) == 0
                                       ? "boolean" : "string", "", 0, 0, 0,
                                       0));
            s += len + (s[len] == ' ');
        }

        if (subs) {
            (void) json_object_set_new(a, "subAttributes", subs);
        }

        (void) json_array_append_new(attributes, a);
    }

    return json_pack("{s:[s], s:s, s:s, s:s, s:o, s:o}", "schemas",
                     "urn:ietf:params:scim:schemas:core:2.0:Schema",
                     "id", ROOMS_SCIM_USER, "name", "User",
                     "description", "A participant", "attributes", attributes,
                     "meta", ngx_rooms_scim_meta(rq, "Schema",
                                                 "/scim/v2/Schemas/",
                                                 ROOMS_SCIM_USER));
}


static ngx_int_t
ngx_rooms_scim_schemas_show(ngx_rooms_req_t *rq)
{
    return ngx_rooms_scim_put(rq, ngx_rooms_scim_list(
                            json_pack("[o]", ngx_rooms_scim_user_schema(rq))));
}


static ngx_int_t
ngx_rooms_scim_schema_show(ngx_rooms_req_t *rq)
{
    if (!rooms_str_eq(rq->param[NGX_ROOMS_P_LOCAL],
                      ngx_rooms_s(ROOMS_SCIM_USER)))
    {
        return ngx_rooms_scim_fail(rq, NGX_ROOMS_E_PATH, NULL,
                                   "there is no such schema");
    }

    return ngx_rooms_scim_put(rq, ngx_rooms_scim_user_schema(rq));
}


/* One token on each line.  Empty lines and lines with # are ignored. */
static const char *
ngx_rooms_scim_tokens(ngx_array_t *tokens, u_char *p, u_char *last)
{
    u_char  *from, *end, *hash;

    while (p < last) {
        end = ngx_strlchr(p, last, '\n');
        end = end ? end : last;

        for (from = p; from < end && (*from == ' ' || *from == '\t'); from++) {
            /* void */
        }

        p = end + 1;

        while (end > from && (end[-1] == ' ' || end[-1] == '\t'
                              || end[-1] == '\r'))
        {
            end--;
        }

        if (from == end || *from == '#') {
            continue;
        }

        if (end - from < NGX_ROOMS_SCIM_TOKEN) {
            return "has a token of less than 16 characters";
        }

        for (hash = from; hash < end; hash++) {
            if (*hash <= 0x20 || *hash >= 0x7f) {
                return "has a token that isn't visible ASCII";
            }
        }

        hash = ngx_array_push(tokens);
        if (hash == NULL) {
            return "needs more memory";
        }

        (void) crypto_generichash(hash, NGX_ROOMS_SCIM_HASH, from, end - from,
                                  NULL, 0);
    }

    return tokens->nelts ? NULL : "has no token";
}


static const char *
ngx_rooms_scim_read(ngx_array_t *tokens, ngx_str_t *name)
{
    u_char       buf[NGX_ROOMS_SCIM_FILE + 1];
    ssize_t      n;
    ngx_fd_t     fd;
    const char  *problem;

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        return "can't be opened";
    }

    n = ngx_read_fd(fd, buf, sizeof(buf));
    (void) ngx_close_file(fd);

    if (n < 0) {
        return "can't be read";
    }

    problem = n > NGX_ROOMS_SCIM_FILE
              ? "is larger than 8192 bytes"
              : ngx_rooms_scim_tokens(tokens, buf, buf + n);

    ngx_explicit_memzero(buf, sizeof(buf));

    return problem;
}


char *
ngx_rooms_scim_token_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rooms_loc_conf_t  *rlcf = conf;

    ngx_str_t    *value;
    const char   *problem;

    if (rlcf->scim_tokens != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    rlcf->scim_at.file = cf->conf_file->file.name.data;
    rlcf->scim_at.line = cf->conf_file->line;
    rlcf->scim_tokens = ngx_array_create(cf->pool, 2, NGX_ROOMS_SCIM_HASH);

    if (rlcf->scim_tokens == NULL
        || ngx_conf_full_name(cf->cycle, &value[1], 1) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    problem = ngx_rooms_scim_read(rlcf->scim_tokens, &value[1]);

    if (problem) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "rooms_scim_token_file: \"%V\" %s", &value[1],
                           problem);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* SCIM's paths contain no tenant, so the configuration must name it. */
ngx_int_t
ngx_rooms_scim_check(ngx_conf_t *cf, ngx_rooms_loc_conf_t *conf)
{
    if (conf->scim_tokens == NULL || conf->tenant.len) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "rooms_scim_token_file needs rooms_tenant, in %s:%ui",
                  conf->scim_at.file, conf->scim_at.line);

    return NGX_ERROR;
}
