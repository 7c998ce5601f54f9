/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_H
#define NGX_ROOMS_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_rooms_commit.h"
#include "rooms_principal.h"


#define NGX_ROOMS_VERSION  "0.1.0"     /* keep equal to pkg/debian/changelog */


/* Parts of the tree, as rooms_serve names them. */
#define NGX_ROOMS_PART_ROOMS       0x0001
#define NGX_ROOMS_PART_DIRECTORY   0x0002
#define NGX_ROOMS_PART_MESSAGES    0x0004
#define NGX_ROOMS_PART_WORKSPACES  0x0008
#define NGX_ROOMS_PART_AUTH        0x0010
#define NGX_ROOMS_PART_MEDIA       0x0040
#define NGX_ROOMS_PART_SYNC        0x0080
#define NGX_ROOMS_PART_FEDERATION  0x0100
#define NGX_ROOMS_PART_PEOPLE      0x0200
#define NGX_ROOMS_PART_SCIM        0x0400
#define NGX_ROOMS_PART_ALL         0x07df

/* Whom rooms_directory_participants lets a participant find. */
typedef enum {
    NGX_ROOMS_PEOPLE_ALL = 0,
    NGX_ROOMS_PEOPLE_SHARED,               /* those who share a room with
                                              them */
    NGX_ROOMS_PEOPLE_OFF
} ngx_rooms_people_e;

typedef enum {
    NGX_ROOMS_AUTH_JWT = 0,
    NGX_ROOMS_AUTH_MOCK,
    NGX_ROOMS_AUTH_HYBRID
} ngx_rooms_auth_mode_e;

typedef struct ngx_rooms_req_s     ngx_rooms_req_t;
typedef struct ngx_rooms_auth_s    ngx_rooms_auth_t;
typedef struct ngx_rooms_status_s  ngx_rooms_status_t;
typedef struct ngx_rooms_cors_s    ngx_rooms_cors_t;


typedef struct {
    ngx_array_t            stores;        /* of ngx_rooms_store_t * */
    ngx_array_t            auths;         /* of ngx_rooms_auth_t * */
    ngx_int_t              request_id;    /* index of $request_id */
    ngx_shm_zone_t        *status_zone;
    ngx_uint_t             mock;          /* some location has a mode other
                                             than jwt */
    ngx_array_t            sweeps;        /* of ngx_rooms_sweep_t */
    ngx_array_t            links;         /* of ngx_rooms_fedlink_t */
    ngx_array_t            offboards;     /* of ngx_rooms_offwalk_t */
    ngx_array_t            paths;         /* of ngx_path_t *, for media */
    size_t                 cache;         /* bytes for each worker; 0: off */
} ngx_rooms_main_conf_t;


typedef struct {
    ngx_uint_t             serve;         /* of rooms_serve, 0: unset */
    ngx_array_t           *locations;     /* registered by `rooms on` */
    ngx_flag_t             enable;
    ngx_uint_t             warned;
    ngx_uint_t             serves;        /* something of the tree is served */
} ngx_rooms_srv_conf_t;


/* The place of a directive, for errors that are found later. */
typedef struct {
    u_char                *file;          /* NULL: not set */
    ngx_uint_t             line;
} ngx_rooms_place_t;


typedef struct ngx_rooms_loc_conf_s  ngx_rooms_loc_conf_t;

struct ngx_rooms_loc_conf_s {
    ngx_flag_t             enable;        /* this location serves the tree */
    const char            *own;           /* the directive by which the
                                             location is ours, or NULL */
    ngx_rooms_place_t      own_at;
    ngx_http_handler_pt    handler;       /* what it has set */
    ngx_uint_t             serve;
    ngx_str_t              fallback;
    ngx_rooms_place_t      fallback_at;
    ngx_array_t           *error_pages;   /* as merged, to see where it comes
                                             from */

    /*
     * for a location that the server's `rooms on` made
     * (ngx_rooms_locations.c)
     */
    ngx_rooms_loc_conf_t      *from;      /* the server's settings */
    ngx_http_core_loc_conf_t  *place;     /* the location that it was placed
                                             in */

    ngx_str_t              redis;         /* URL */
    ngx_rooms_store_t     *parsed;        /* rooms_redis as set on this level */
    ngx_msec_t             redis_timeout;
    ngx_int_t              redis_wait;     /* replicas that confirm a commit */
    ngx_msec_t             redis_wait_timeout;
    ngx_msec_t             redis_connect_timeout;
    ngx_str_t              key_prefix;
    ngx_rooms_store_t     *store;

    ngx_uint_t             auth_mode;
    ngx_str_t              jwks_file;
    ngx_str_t              jwks_request;
    ngx_rooms_place_t      jwks_request_at;
    ngx_str_t              secret_file;
    ngx_str_t              issuer;
    ngx_str_t              audience;
    time_t                 leeway;
    rooms_words_t          claims[ROOMS_CLAIM_MAX];
    rooms_words_t          admins;        /* rooms_auth_admin */
    ngx_rooms_auth_t      *auth;
    ngx_array_t           *url_secrets;   /* of rooms_str_t; the first signs */
    ngx_http_complex_value_t  *token;     /* rooms_auth_token, or NULL */
    ngx_flag_t             query_token;

    ngx_str_t              tenant;
    ngx_uint_t             strict;
    ngx_uint_t             people;        /* an ngx_rooms_people_e */
    ngx_flag_t             invite_unknown;
    ngx_str_t              server_name;
    ngx_uint_t             health;        /* of rooms_health, 0: none */
    ngx_rooms_cors_t      *cors;          /* NULL: off */
    ngx_flag_t             cors_credentials;
    ngx_int_t              max_participants;
    ngx_int_t              quotas[NGX_ROOMS_QUOTAS];   /* or
                                                          NGX_ROOMS_UNLIMITED */

    ngx_msec_t             stream_heartbeat;
    ngx_msec_t             stream_lifetime;
    ngx_int_t              stream_connections;   /* of a participant */

    ngx_int_t              export_level;  /* of deflate */
    /* rooms_import_limits; NULL: unset */
    const struct rooms_zip_limits_s  *import_limits;

    ngx_path_t            *media_path;
    ngx_msec_t             media_sweep;   /* 0: off */

    ngx_array_t           *scim_tokens;   /* hashes of 32 bytes; NULL: off */
    ngx_rooms_place_t      scim_at;

    ngx_flag_t             federation;
    ngx_array_t           *federation_keys;   /* of rooms_fedkey_pair_t */
    ngx_str_t              federation_pass;
    ngx_rooms_place_t      federation_pass_at;
    ngx_flag_t             federation_private;
};


extern ngx_module_t  ngx_rooms_module;


ngx_int_t ngx_rooms_handler(ngx_http_request_t *r);

/*
 * `rooms on` in a server: adds the tree's locations (ngx_rooms_locations.c).
 */
char *ngx_rooms_locations_add(ngx_conf_t *cf, ngx_rooms_srv_conf_t *rscf);
/*
 * Called once the whole server is read: removes or moves those of our
 * locations that the operator's own locations replace.
 */
ngx_int_t ngx_rooms_locations_settle(ngx_conf_t *cf,
    ngx_rooms_srv_conf_t *rscf, ngx_http_core_loc_conf_t *server);
/* Whether there is a location for the path, or one with this "@name". */
ngx_uint_t ngx_rooms_location_exists(ngx_http_core_loc_conf_t *server,
    ngx_str_t *uri);
/* The parts of the tree that a location covers something of; 0: none. */
ngx_uint_t ngx_rooms_location_parts(ngx_http_core_loc_conf_t *clcf);
/* Whether a raw request target belongs to the parts that the server serves. */
ngx_uint_t ngx_rooms_location_of_target(ngx_uint_t serve, u_char *p,
    u_char *last);

ngx_int_t ngx_rooms_add_variables(ngx_conf_t *cf);
/* Adds the variables of a list, which ends with a variable without a name. */
ngx_int_t ngx_rooms_variables_add(ngx_conf_t *cf, ngx_http_variable_t *v);
ngx_int_t ngx_rooms_filter_init(void);

#endif /* NGX_ROOMS_H */
